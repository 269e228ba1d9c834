import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openingEvents, replyEvent } from '../../src/conversation/log/events.ts';
import { type ConversationState, fold } from '../../src/conversation/log/state.ts';
import { decide, speakersDue } from '../../src/conversation/turn/decide.ts';
import { agent, later, settings } from '../fixtures/conversations.ts';

const ID = '01900000-0000-7000-8000-000000000000';
const NAMES = ['Ada', 'Ben', 'Me'];

function state(extra: Partial<ConversationState> = {}, more: Parameters<typeof settings>[0] = {}) {
  const agents = NAMES.map((name) => agent(name, name === 'Me' ? { provider: 'human', model: '' } : {}));
  const begun = fold(undefined, openingEvents(settings({ agents, ...more }), later(0)));
  return { ...(begun as ConversationState), ...extra };
}

describe('what is to be done next', () => {
  it('2.1: the first in the list speaks first, then they go round in order, whatever was said between', () => {
    expect(decide(ID, state())).toEqual({ kind: 'speak', speaker: 0 });
    expect(decide(ID, state({ turns: 1, lastSpeaker: 'Ada' }))).toEqual({ kind: 'speak', speaker: 1 });
    expect(decide(ID, state({ turns: 9, lastSpeaker: 'Me' }))).toEqual({ kind: 'speak', speaker: 0 });
  });

  it('10.3: a person is waited for', () => {
    expect(decide(ID, state({ turns: 2, lastSpeaker: 'Ben' }))).toEqual({ kind: 'wait', speaker: 2 });
  });

  it('10.5: who was chosen speaks, whoever spoke last', () => {
    expect(decide(ID, state({ lastSpeaker: 'Ada', chosen: 'Ada' }))).toEqual({ kind: 'speak', speaker: 0 });
  });

  it.each(['paused', 'terminated'] as const)('is nothing where it is %s', (status) => {
    expect(decide(ID, state({ status }))).toEqual({ kind: 'rest' });
    expect(speakersDue(ID, state({ status }))).toEqual([]);
  });

  it('3.5: a log of a release that noted no speaker goes on by the number of its turns', () => {
    expect(speakersDue(ID, state({ turns: 4 }))).toEqual([1]);
  });

  it('gives everybody a turn before anybody has a second one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 16 }), (count) => {
        const agents = Array.from({ length: count }, (_, index) => agent(`A${index}`));
        let now = state({}, { agents });
        const spoken: number[] = [];
        for (let turn = 1; turn <= count * 2; turn++) {
          const [speaker = -1] = speakersDue(ID, now);
          spoken.push(speaker);
          const reply = { turn, sender: `A${speaker}`, content: `${turn}`, metadata: {} };
          now = fold(now, [replyEvent(now.lastSeq + 1, later(turn), reply)]) as ConversationState;
        }
        expect(spoken).toEqual([...agents.keys(), ...agents.keys()]);
      }),
    );
  });
});
