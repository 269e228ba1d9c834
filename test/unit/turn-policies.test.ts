import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { chanceOf } from '../../src/conversation/policies/turn/chance.ts';
import { debatePlaceOf } from '../../src/conversation/policies/turn/debate.ts';
import type { Facts } from '../../src/conversation/policies/turn/facts.ts';
import { namesIn } from '../../src/conversation/policies/turn/mentions.ts';
import { turnDue } from '../../src/conversation/policies/turn/turn-policy.ts';
import { agent, settings } from '../fixtures/conversations.ts';

const NAMES = ['Ada', 'Ben', 'Cyd', 'Dan'];

function begun(
  turnPolicy: ConversationSettings['turnPolicy'],
  agents = NAMES.map((name) => agent(name)),
): Facts {
  return {
    id: '01900000-0000-7000-8000-000000000000',
    settings: settings({ agents, turnPolicy }),
    turns: 0,
    agentTurns: agents.map(() => 0),
    lastSpeaker: null,
    named: [],
  };
}

/** The facts after an agent has spoken. */
function after(facts: Facts, speaker: number): Facts {
  return {
    ...facts,
    turns: facts.turns + 1,
    agentTurns: facts.agentTurns.with(speaker, (facts.agentTurns[speaker] ?? 0) + 1),
    lastSpeaker: facts.settings.agents[speaker]?.name ?? null,
    named: [],
  };
}

/** Who speaks in so many turns. */
function speakers(facts: Facts, turns: number): number[] {
  const all: number[] = [];
  for (let now = facts; all.length < turns; ) {
    const due = turnDue(now);
    if (due.kind !== 'speak') return all;
    all.push(due.speaker);
    now = after(now, due.speaker);
  }
  return all;
}

const seed = fc.oneof(fc.string({ minLength: 1 }), fc.integer());

describe('9.1: random', () => {
  it('has everybody speak once before anybody twice, and nobody twice running; the same for the same seed', () => {
    fc.assert(
      fc.property(seed, fc.integer({ min: 2, max: 16 }), (from, count) => {
        const agents = Array.from({ length: count }, (_, index) => agent(`A${index}`));
        const facts = begun({ type: 'random', seed: from }, agents);
        const all = speakers(facts, count * 4);
        for (let round = 0; round < 4; round++) {
          expect(new Set(all.slice(round * count, (round + 1) * count)).size).toBe(count);
        }
        for (const [index, speaker] of all.entries()) expect(speaker).not.toBe(all[index - 1]);
        expect(speakers(facts, count * 4)).toEqual(all);
      }),
    );
  });

  it('gives other orders to other seeds, and all of them', () => {
    const orders = new Set(
      Array.from({ length: 300 }, (_, from) => speakers(begun({ type: 'random', seed: from }), 4).join('')),
    );
    expect(orders.size).toBe(24);
  });

  it('with repeats, anybody but the last', () => {
    const all = speakers(begun({ type: 'random', seed: 7, repeats: true }), 400);
    for (const [index, speaker] of all.entries()) expect(speaker).not.toBe(all[index - 1]);
    const counts = NAMES.map((_, index) => all.filter((speaker) => speaker === index).length);
    expect(Math.min(...counts)).toBeGreaterThan(70);
    expect(new Set(all.slice(0, 4)).size).toBeLessThan(4);
  });
});

it('9.1: weighted follows the weights about, and nobody speaks twice running', () => {
  const all = speakers(
    begun({ type: 'weighted', weights: { Ada: 6, Ben: 2, Cyd: 1, Dan: 1 }, seed: 's' }),
    2000,
  );
  for (const [index, speaker] of all.entries()) expect(speaker).not.toBe(all[index - 1]);
  const counts = NAMES.map((_, index) => all.filter((speaker) => speaker === index).length);
  expect(counts.toSorted((one, other) => other - one)).toEqual(counts);
  expect(counts[0]).toBeGreaterThan(700);
});

describe('9.1: mention', () => {
  it.each([
    ['@Ben, what now?', ['Ben']],
    ['What does @ben think, or @ADA?', ['Ben', 'Ada']],
    ['@Benjamin and mail@ben.org', []],
    ['@Ben-Oni', ['Ben-Oni']],
    ['I, @Cyd, say @Dan', ['Dan']],
    ['(@Ada)', ['Ada']],
    ['@Bens', []],
    ['nobody', []],
  ])('of %j are named %j', (text, named) => {
    expect(namesIn(text, [...NAMES, 'Ben-Oni'], 'Cyd')).toEqual(named);
  });

  it('takes names in scripts that set no spaces', () => {
    expect(namesIn('@小明你怎么看？', ['小明'], 'Ada')).toEqual(['小明']);
  });

  it('has whom the last message names first speak, else the next in order', () => {
    const facts = after(begun({ type: 'mention' }), 0);
    expect(turnDue({ ...facts, named: ['Dan', 'Ben'] })).toEqual({ kind: 'speak', speaker: 3 });
    expect(turnDue(facts)).toEqual({ kind: 'speak', speaker: 1 });
  });
});

describe('9.1: speaks', () => {
  it('skips who listens, and who is not named', () => {
    const agents = [
      agent('Ada'),
      agent('Ben', { speaks: 'when_mentioned' }),
      agent('Cyd', { speaks: 'never' }),
    ];
    const facts = begun(undefined, [...agents, agent('Dan')]);
    expect(speakers(facts, 4)).toEqual([0, 3, 0, 3]);
    expect(turnDue({ ...after(facts, 0), named: ['Ben'] })).toEqual({ kind: 'speak', speaker: 1 });
  });
});

describe('9.1: debate', () => {
  it('goes through opening, rebuttals and closing; members of a side by turns from phase to phase', () => {
    const facts = begun({ type: 'debate', sides: [['Ada', 'Cyd'], ['Ben']], rounds: 1 });
    const places = Array.from({ length: 7 }, (_, turns) => debatePlaceOf(facts.settings, turns));
    expect(places.map((place) => place && [NAMES[place.speaker], place.side, place.phase])).toEqual([
      ['Ada', 1, 'opening'],
      ['Ben', 2, 'opening'],
      ['Cyd', 1, 'rebuttal'],
      ['Ben', 2, 'rebuttal'],
      ['Ada', 1, 'closing'],
      ['Ben', 2, 'closing'],
      undefined,
    ]);
    expect(turnDue({ ...facts, turns: 6 })).toEqual({ kind: 'over' });
  });
});

describe('9.1: panel', () => {
  const person = agent('Me', { provider: 'human', model: '' });
  const facts = begun({ type: 'panel', rounds: 2 }, [person, agent('Ada'), agent('Ben')]);

  it('asks all models of a round together, a person last, and goes on in the middle of a round', () => {
    expect(turnDue(facts)).toEqual({ kind: 'together', speakers: [1, 2] });
    expect(turnDue({ ...facts, turns: 1 })).toEqual({ kind: 'together', speakers: [2] });
    expect(turnDue({ ...facts, turns: 2 })).toEqual({ kind: 'speak', speaker: 0 });
    expect(turnDue({ ...facts, turns: 3 })).toEqual({ kind: 'together', speakers: [1, 2] });
    expect(turnDue({ ...facts, turns: 6 })).toEqual({ kind: 'over' });
  });

  it('asks no more than maxTurns has room for', () => {
    const short = { ...facts, settings: { ...facts.settings, maxTurns: 4 }, turns: 3 };
    expect(turnDue(short)).toEqual({ kind: 'together', speakers: [1] });
  });
});

it('chance is spread evenly, whatever the seed', () => {
  fc.assert(
    fc.property(fc.string(), (from) => {
      const counts = [0, 0, 0, 0];
      for (let number = 0; number < 400; number++) {
        const index = Math.floor(chanceOf(from, number) * 4);
        counts[index] = (counts[index] ?? 0) + 1;
      }
      expect(Math.min(...counts)).toBeGreaterThan(50);
    }),
  );
});
