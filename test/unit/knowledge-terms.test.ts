import { describe, expect, it } from 'vitest';
import { scoreOf, weigh } from '../../src/knowledge/index/ranking.ts';
import { askedFor, indexed } from '../../src/knowledge/index/terms.ts';

/** What a question asks for in a text that is the whole collection, and how often each is counted there. */
function countsIn(text: string, question: string): Record<string, boolean> {
  const { folded, terms } = indexed(text);
  return Object.fromEntries(
    askedFor(question)
      .flat()
      .map(({ term, sought }) => {
        // What the index has is what is counted, and the other way round.
        expect([term, folded.includes(sought)]).toEqual([term, terms.has(term)]);
        return [term, terms.has(term)];
      }),
  );
}

describe('11.2: what passages are found by', () => {
  it('is whole words, and how those of letters begin and end', () => {
    expect(countsIn('Der Wochenmarkt öffnet.', 'Märkte des Marktes, Markt')).toEqual({
      markte: false,
      '‹mark': false,
      '›arkte': false,
      des: false,
      marktes: false,
      '›rktes': false,
      markt: false,
      '›markt': true,
    });
    expect(countsIn('Trams ran', 'tram 1894 ran')).toEqual({
      tram: false,
      '‹tram': true,
      '1894': false,
      ran: true,
    });
  });

  it('is pairs of characters and each character in scripts without spaces', () => {
    expect(countsIn('苏黎世的电车', '电力 车')).toEqual({ 电力: false, 电: true, 力: false, 车: true });
  });

  it('puts words that most questions have behind the others', () => {
    const words = askedFor('What is the price of it, and of 票的价格?').map(([word]) => word?.term);
    expect(words.slice(0, 2)).toEqual(['price', '票的']);
    expect(words.at(-1)).not.toBe('价格');
  });
});

describe('11.2: the score of a passage', () => {
  const weights = (question: string) =>
    weigh(question, { passages: 10, occurrences: (term) => (term === 'nowhere' ? 0 : 2) });
  it('is the share of the question that it has, at most 1', () => {
    const { folded } = indexed('tram ship soup');
    expect(scoreOf(folded, 1, weights('soup'))).toBeCloseTo(1);
    expect(scoreOf(indexed('soup soup soup').folded, 1, weights('soup'))).toBe(1);
    const half = scoreOf(folded, 1, weights('soup 1894'));
    expect(half).toBeGreaterThan(0.5);
    expect(half).toBeLessThan(0.8);
    expect(scoreOf(folded, 1, weights('bread'))).toBe(0);
    expect(scoreOf(folded, 1, weights('!?'))).toBe(0);
  });

  it('is less in a longer passage, and more for a term that occurs again', () => {
    const { folded } = indexed('one tram');
    const asked = weights('tram 1894');
    expect(scoreOf(folded, 3, asked)).toBeLessThan(scoreOf(folded, 1, asked));
    expect(scoreOf(indexed('tram tram').folded, 1, asked)).toBeGreaterThan(scoreOf(folded, 1, asked));
  });
});
