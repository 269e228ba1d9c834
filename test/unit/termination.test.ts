import { describe, expect, it } from 'vitest';
import { type ConversationEvent, openingEvents } from '../../src/conversation/log/events.ts';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { type ConversationState, fold } from '../../src/conversation/log/state.ts';
import { standardConditions, timeout } from '../../src/conversation/policies/termination.ts';
import { agent, later, reply, START, settings } from '../fixtures/conversations.ts';

type Said = string | { content: string; inputTokens?: number; outputTokens?: number; costUsd?: number };

/** The state after these replies, the agents going round; unless it is asked for, the moderator says nothing. */
function after(chosen: ConversationSettings, said: readonly Said[]): ConversationState {
  const replies = said.map((each, index): ConversationEvent => {
    const { content, ...metadata } = typeof each === 'string' ? { content: each } : each;
    const sender = chosen.agents[index % chosen.agents.length]?.name ?? '';
    return reply(index + 3, { sender, content, metadata });
  });
  const similarity = { nudge: false, ...chosen.termination.similarity };
  const unwarned = { ...chosen, termination: { ...chosen.termination, similarity } };
  const state = fold(undefined, [...openingEvents(unwarned, START), ...replies]);
  if (!state) throw new Error('nothing was folded');
  return state;
}

const verdict = (chosen: ConversationSettings, said: readonly Said[], now = START) =>
  standardConditions(after(chosen, said), now);
const reason = (chosen: ConversationSettings, said: readonly Said[], now = START) =>
  verdict(chosen, said, now)?.reason;

describe('a phrase', () => {
  it.each([
    ['[done]', 'We are [DONE].', 'phrase'],
    ['[done]', '[done]', 'phrase'],
    ['[done]', 'are we[Done]yet', 'phrase'],
    ['[done]', 'We are done.', undefined],
    ['[done]', 'done]', undefined],
    ['[done]', '[ done ]', undefined],
    ['Good Night', 'a good night, friends', 'phrase'],
    ['.*', 'anything', undefined],
    ['ΤΕΛΟΣ', 'το τέλος', undefined],
    ['ΤΕΛΟΣ', 'το τελος', 'phrase'],
    ['ТОЧКА', 'и точка.', 'phrase'],
  ])('%j is looked for without case and anywhere: %j', (phrase, content, expected) => {
    expect(reason(settings({ termination: { phrases: [phrase] } }), ['hm', content])).toBe(expected);
  });

  it('counts from turn minTurns on', () => {
    const chosen = settings({ termination: { minTurns: 3 } });
    expect(reason(chosen, ['a', '[done]'])).toBeUndefined();
    expect(reason(chosen, ['a', 'b', '[done]'])).toBe('phrase');
    expect(reason(settings(), ['[done]'])).toBeUndefined();
    expect(reason(settings({ termination: { minTurns: 0 } }), ['[done]'])).toBe('phrase');
  });

  it('counts in the last message of an agent alone', () => {
    const opened = settings({ openingMessage: 'Say [done] when done', termination: { minTurns: 0 } });
    expect(reason(opened, [])).toBeUndefined();
    expect(reason(opened, ['[done]', 'not so fast'])).toBeUndefined();
  });

  it('is named, with who said it', () => {
    const chosen = settings({ termination: { phrases: ['never', 'The End'] } });
    expect(verdict(chosen, ['so', 'the end'])).toEqual({
      reason: 'phrase',
      detail: 'Ben said "The End"',
      by: 'system',
    });
    expect(reason(settings({ termination: { phrases: [] } }), ['x', '[done]'])).toBeUndefined();
  });
});

describe('repetition', () => {
  const A = 'I think that bees are the most important animals of all.';
  const B = 'You say so because you have never met an ant in person.';
  const C = 'Ants have no wings to speak of, and they make no honey either.';
  const D = 'Honey is overrated, as every dentist would be glad to tell you.';
  const EIGHT = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
  const three = ['Ada', 'Ben', 'Cleo'].map((name) => agent(name));
  const five = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve'].map((name) => agent(name));

  it.each<[string, ConversationSettings['agents'] | undefined, string[], number | undefined]>([
    ['all say the same', undefined, [A, A, A, A, A], 4],
    ['two monologues', undefined, [A, B, A, B, A, B], 5],
    ['one repeats itself, the other does not', undefined, [A, B, A, C, A, D], 5],
    ['an echo', undefined, [A, A, B, B, C, C], 4],
    ['with other case and punctuation', undefined, [A, B, A.toUpperCase(), C, `«${A}»`], 5],
    ['a cycle of three', undefined, [A, B, C, D, A, B, C, D, A, B], 7],
    ['a cycle longer than what is remembered', undefined, [...EIGHT, ...EIGHT], undefined],
    ['once and no more', undefined, [A, B, A, C, D, B.replace('ant', 'elephant once or twice')], undefined],
    ['three who agree', three, [A, A, A, A, A, A], 5],
    ['three in a round', three, [A, B, C, A, B, C, A, B, C], 7],
    ['an echo among five', five, [A, B, C, D, D, 'Yes.', 'No way.', 'Ha ha ha.', 'So?', 'So?'], 10],
    ['honest talk', undefined, [A, B, C, D], undefined],
    [
      'short honest talk',
      undefined,
      ['Why?', 'Why not?', 'Because.', 'I see.', 'Really?', 'Yes.'],
      undefined,
    ],
  ])('ends a loop: %s', (_, agents, said, turn) => {
    const chosen = settings({ ...(agents && { agents }) });
    const found = said.findIndex((_, index) => reason(chosen, said.slice(0, index + 1)) === 'repetition');
    expect(found < 0 ? undefined : found + 1).toBe(turn);
  });

  it('takes as many repeats in a row as the settings say', () => {
    const consecutive = (count: number) =>
      settings({ termination: { similarity: { threshold: 0.85, consecutive: count } } });
    expect(reason(consecutive(1), [A, B, A])).toBe('repetition');
    expect(reason(consecutive(3), [A, B, A, C, A])).toBeUndefined();
    expect(reason(consecutive(3), [A, B, A, C, A, D, A])).toBe('repetition');
    expect(reason(consecutive(2), [A, B, A, C, D, B.slice(0, 20), A])).toBeUndefined();
  });

  it('takes a threshold of 1 as word for word', () => {
    const exact = settings({ termination: { similarity: { threshold: 1, consecutive: 1 } } });
    expect(reason(exact, [A, `${A} Yes.`])).toBeUndefined();
    expect(reason(exact, [A, B, A])).toBe('repetition');
  });

  it('waits for the nudge where there is to be one', () => {
    const nudged = settings({
      termination: { similarity: { threshold: 0.85, consecutive: 2, nudge: true } },
    });
    expect(reason(nudged, [A, A, A, A, A, A])).toBeUndefined();
  });

  it('does not count the opening message', () => {
    expect(reason(settings({ openingMessage: A }), [A, B])).toBeUndefined();
  });
});

describe('budgets', () => {
  it('of tokens end at the limit', () => {
    const chosen = settings({ termination: { maxTotalTokens: 100 } });
    expect(reason(chosen, [])).toBeUndefined();
    expect(reason(chosen, [{ content: 'a', inputTokens: 89, outputTokens: 10 }])).toBeUndefined();
    expect(verdict(chosen, [{ content: 'a', inputTokens: 90, outputTokens: 10 }])).toEqual({
      reason: 'token_budget',
      detail: '100 of 100 tokens are used',
      by: 'system',
    });
    expect(reason(settings(), [{ content: 'a', inputTokens: 1e9 }])).toBeUndefined();
  });

  it('of cost end at the limit, and where a price is unknown', () => {
    const chosen = settings({ termination: { maxCostUsd: 0.5 } });
    expect(reason(chosen, [])).toBeUndefined();
    expect(reason(chosen, [{ content: 'a', costUsd: 0.49 }])).toBeUndefined();
    expect(reason(chosen, [{ content: 'a', costUsd: 0 }])).toBeUndefined();
    expect(
      reason(chosen, [
        { content: 'a', costUsd: 0.25 },
        { content: 'b', costUsd: 0.25 },
      ]),
    ).toBe('cost_budget');
    expect(verdict(chosen, ['a'])).toMatchObject({
      reason: 'cost_budget',
      detail: expect.stringContaining('unknown'),
    });
    expect(reason(settings(), ['a'])).toBeUndefined();
  });
});

describe('the last turn and the time', () => {
  it('end after maxTurns turns of all agents together', () => {
    const chosen = settings({ maxTurns: 2 });
    expect(reason(chosen, ['one'])).toBeUndefined();
    expect(verdict(chosen, ['one', 'two'])).toEqual({ reason: 'max_turns', by: 'system' });
  });

  it('end when the time since the creation has passed, as the log alone says', () => {
    const chosen = settings({ timeoutSeconds: 60 });
    expect(reason(chosen, ['one'], later(59_999))).toBeUndefined();
    expect(verdict(chosen, ['one'], later(60_000))).toEqual({
      reason: 'timeout',
      detail: '60 seconds have passed',
      by: 'system',
    });
    expect(timeout(after(chosen, []), later(86_400_000))?.reason).toBe('timeout');
  });

  it('are named in a fixed order where several reasons hold', () => {
    const chosen = settings({
      maxTurns: 4,
      timeoutSeconds: 1,
      termination: { maxTotalTokens: 1, maxCostUsd: 0.1 },
    });
    const same = (content: string) => ({ content, inputTokens: 1, costUsd: 1 });
    const said = [same('x'), same('x'), same('x'), same('x')];
    const lateOn = later(5000);
    expect(
      reason(
        chosen,
        Array.from({ length: 4 }, () => same('[done] x')),
        lateOn,
      ),
    ).toBe('phrase');
    expect(reason(chosen, said, lateOn)).toBe('repetition');
    expect(reason(chosen, [same('x')], lateOn)).toBe('token_budget');
    expect(reason(chosen, [{ content: 'x', costUsd: 1 }], lateOn)).toBe('cost_budget');
    const free = ['w', 'x', 'y', 'z'].map((content) => ({ content, costUsd: 0 }));
    expect(reason(chosen, free, lateOn)).toBe('max_turns');
    expect(reason(chosen, free.slice(1), lateOn)).toBe('timeout');
    expect(reason(chosen, free.slice(1))).toBeUndefined();
  });
});
