import { describe, expect, it } from 'vitest';
import { inTurn, questionsFor } from '../../src/conversation/knowledge/question.ts';

const said = (...contents: string[]) => contents.map((content) => ({ content }));

describe('11.3: what is looked up for a turn', () => {
  it('is the last message, the topic and the message before, each for itself', () => {
    expect(questionsFor('trams', said('one', 'two', 'three'))).toEqual(['three', 'trams', 'two']);
    expect(questionsFor('trams', [])).toEqual(['trams']);
    expect(questionsFor('trams', said('trams'))).toEqual(['trams']);
    expect(questionsFor('trams', said(' ', 'x'.repeat(1000)))).toEqual(['x'.repeat(600), 'trams']);
    expect(questionsFor(' ', [])).toEqual(['']);
  });

  it('holds no half of a character', () => {
    const [last = '', topic = ''] = questionsFor(`${'a'.repeat(299)}😀`, said(`😀${'b'.repeat(599)}`));
    expect([last.isWellFormed(), topic.isWellFormed()]).toEqual([true, true]);
  });
});

describe('11.3: what was found for several questions', () => {
  const found = (documentId: string, score: number) => ({ documentId, passage: 1, score });
  const idsOf = (lists: ReturnType<typeof found>[][]) =>
    inTurn(lists).map(({ passage }) => [passage.documentId, passage.score]);

  it('comes in turn, the first of each before what fits as well behind it', () => {
    const long = [found('a', 1), found('b', 1), found('c', 1)];
    expect(idsOf([long, [found('d', 0.5), found('e', 0.5)]])).toEqual([
      ['a', 1],
      ['d', 0.5],
      ['b', 1],
      ['e', 0.5],
      ['c', 1],
    ]);
  });

  it('comes once, with its best score, where it is worth most', () => {
    expect(idsOf([[found('a', 0.9), found('b', 0.9)], [found('b', 0.81)]])).toEqual([
      ['a', 0.9],
      ['b', 0.9],
    ]);
    expect(idsOf([[found('a', 0.04)], [found('b', 0.81), found('a', 0.81)]])).toEqual([
      ['b', 0.81],
      ['a', 0.81],
    ]);
  });

  it('stays in its order where only one was asked', () => {
    const list = [found('a', 0.5), found('b', 0.5), found('c', 0.1)];
    expect(idsOf([list])).toEqual(list.map(({ documentId, score }) => [documentId, score]));
    expect(inTurn([])).toEqual([]);
  });
});
