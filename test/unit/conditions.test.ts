import { describe, expect, it } from 'vitest';
import { openingEvents, replyEvent } from '../../src/conversation/log/events.ts';
import { type ConversationState, fold } from '../../src/conversation/log/state.ts';
import { whatHolds } from '../../src/conversation/policies/conditions.ts';
import { standardConditions } from '../../src/conversation/policies/termination.ts';
import type { When } from '../../src/protocol/voices.ts';
import { agent, later, settings } from '../fixtures/conversations.ts';

/** A talk of Ada and Ben by turns. */
function talk(when: When, ...contents: string[]): ConversationState {
  const agents = [agent('Ada'), agent('Ben')];
  const all = settings({ agents, termination: { phrases: [], when } });
  const events = contents.map((content, index) =>
    replyEvent(index + 3, later(index), {
      turn: index + 1,
      sender: index % 2 === 0 ? 'Ada' : 'Ben',
      content,
      metadata: { inputTokens: 10, outputTokens: 5, costUsd: 0.01 },
    }),
  );
  return fold(undefined, [...openingEvents(all, later(0)), ...events]) as ConversationState;
}

describe('9.3: termination.when', () => {
  it.each<[When, string[], boolean]>([
    [{ turns: 2 }, ['a'], false],
    [{ turns: 2 }, ['a', 'b'], true],
    [{ rounds: 1 }, ['a'], false],
    [{ rounds: 1 }, ['a', 'b'], true],
    [{ said: 'DEAL' }, ['no deal yet', 'x'], true],
    [{ said: 'deal', by: 'Ben' }, ['deal', 'x'], false],
    [{ said: 'deal', by: 'Ben' }, ['x', 'deal', 'y'], true],
    [{ spoke: 'Ben' }, ['x'], false],
    [{ spoke: 'Ben', times: 2 }, ['1', '2', '3', '4'], true],
    [{ totalTokens: 30 }, ['a'], false],
    [{ totalTokens: 30 }, ['a', 'b'], true],
    [{ costUsd: 0.015 }, ['a', 'b'], true],
    [{ everybodySaid: 'ready' }, ['ready', 'ready'], true],
    [{ everybodySaid: 'ready' }, ['ready', 'ready', 'not yet'], false],
    [{ not: { said: 'x' } }, ['y'], true],
    [{ all: [{ turns: 1 }, { said: 'x' }] }, ['y'], false],
    [{ any: [{ turns: 9 }, { said: 'y' }] }, ['y'], true],
  ])('%j behind %j: %j', (when, contents, holds) => {
    expect(whatHolds(when, talk(when, ...contents), later(0)) !== undefined).toBe(holds);
  });

  it('counts seconds without the pauses', () => {
    const when: When = { seconds: 10 };
    const state = talk(when, 'a');
    expect(whatHolds(when, state, later(9_999))).toBeUndefined();
    expect(whatHolds(when, state, later(10_000))).toBeDefined();
    expect(whatHolds(when, { ...state, pausedMs: 5000 }, later(10_000))).toBeUndefined();
  });

  it('ends a talk with `condition`, and its detail names what held', () => {
    const state = talk({ any: [{ turns: 2 }, { said: 'deal' }, { rounds: 5 }] }, 'deal', 'b');
    expect(standardConditions(state, later(0))).toEqual({
      reason: 'condition',
      detail: '2 turns were taken; somebody said "deal"',
      by: 'system',
    });
  });
});
