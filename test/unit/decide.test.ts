import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decidable, decide, nextSpeaker } from '../../src/conversation/turn/decide.ts';
import { agent, settings } from '../fixtures/conversations.ts';

const NAMES = ['Ada', 'Ben', 'Me'];

function state(extra: Partial<Decidable> = {}): Decidable {
  const agents = NAMES.map((name) => agent(name, name === 'Me' ? { provider: 'human', model: '' } : {}));
  return {
    status: 'running',
    turns: 0,
    lastSpeaker: null,
    pause: null,
    settings: settings({ agents }),
    ...extra,
  };
}

describe('what is to be done next', () => {
  it('2.1: the first in the list speaks first, then they go round in order, whatever was said between', () => {
    expect(decide(state())).toEqual({ kind: 'speak', speaker: 0 });
    expect(decide(state({ turns: 1, lastSpeaker: 'Ada' }))).toEqual({ kind: 'speak', speaker: 1 });
    expect(decide(state({ turns: 9, lastSpeaker: 'Me' }))).toEqual({ kind: 'speak', speaker: 0 });
  });

  it('10.3: a person is waited for', () => {
    expect(decide(state({ turns: 2, lastSpeaker: 'Ben' }))).toEqual({ kind: 'wait', speaker: 2 });
  });

  it('10.5: who was chosen speaks, whoever spoke last', () => {
    expect(decide(state({ lastSpeaker: 'Ada', chosen: 'Ada' }))).toEqual({ kind: 'speak', speaker: 0 });
  });

  it.each(['paused', 'terminated'] as const)('is nothing where it is %s', (status) => {
    expect(decide(state({ status }))).toEqual({ kind: 'rest' });
  });

  it('3.5: a log of a release that noted no speaker goes on by the number of its turns', () => {
    expect(nextSpeaker(state({ turns: 4 }))).toBe(1);
  });

  it('gives everybody a turn before anybody has a second one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 16 }), (count) => {
        const agents = Array.from({ length: count }, (_, index) => agent(`A${index}`));
        const all = settings({ agents });
        const spoken: number[] = [];
        for (let turns = 0; turns < count * 2; turns++) {
          const lastSpeaker = turns === 0 ? null : `A${spoken.at(-1)}`;
          spoken.push(nextSpeaker(state({ settings: all, turns, lastSpeaker })));
        }
        expect(spoken).toEqual([...agents.keys(), ...agents.keys()]);
      }),
    );
  });
});
