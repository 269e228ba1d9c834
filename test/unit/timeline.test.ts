import { expect, it } from 'vitest';
import { nudgeEvent, openingEvents } from '../../src/conversation/log/events.ts';
import { timelineOf } from '../../src/conversation/log/timeline.ts';
import { ENDED_BY_USER, ended, later, reply, START, settings } from '../fixtures/conversations.ts';

const at = (seq: number): string => later(seq * 1000).toISOString();
const call = { provider: 'claude', model: 'm', inputTokens: 40, outputTokens: 9, attempts: 2 };
const METADATA = {
  ...call,
  latencyMs: 300,
  timeToFirstTokenMs: 120,
  costUsd: 0.01,
  attempt: 'a-1',
  finishReason: 'stop',
};

it('2.7: a timeline says how each turn went, and what happened between', () => {
  const events = [
    reply(3, { metadata: METADATA, content: 'a secret' }),
    reply(4, { sender: 'Ben' }),
    nudgeEvent(5, later(4000), { kind: 'gratitude', content: 'Say something new.' }),
    ended(6, ENDED_BY_USER),
  ];
  const turn = {
    ...call,
    type: 'turn',
    timeToFirstTokenMs: 120,
    durationMs: 300,
    costUsd: 0.01,
    finishReason: 'stop',
  };
  const entries = timelineOf(START.toISOString(), events);
  expect(entries).toEqual([
    { ...turn, seq: 3, at: at(3), turn: 1, agent: 'Ada', waitMs: 2700 },
    // What the log doesn't say is left out; a price that nobody knows is null.
    {
      seq: 4,
      at: at(4),
      type: 'turn',
      turn: 2,
      agent: 'Ben',
      waitMs: 1000,
      durationMs: 0,
      costUsd: null,
    },
    { seq: 5, at: at(4), type: 'conversation.nudged', kind: 'gratitude' },
    { seq: 6, at: at(6), type: 'conversation.terminated', reason: 'user', detail: 'enough', by: 'user' },
  ]);
  expect(JSON.stringify(entries)).not.toMatch(/secret|something new/);
});

it('2.7: the opening is no turn, and no wait is less than nothing', () => {
  const slow = reply(3, { metadata: { ...METADATA, latencyMs: 9000 } });
  const entries = timelineOf(START.toISOString(), [...openingEvents(settings(), START), slow]);
  expect(entries).toMatchObject([{ seq: 3, waitMs: 0, durationMs: 9000 }]);
});

it('2.7: pages of a timeline are the same as the whole', () => {
  const events = [reply(3, { metadata: METADATA }), reply(4), ended(5)];
  const whole = timelineOf(START.toISOString(), events);
  for (const split of [1, 2]) {
    const before = events[split - 1]?.at ?? '';
    const [left, right] = [events.slice(0, split), events.slice(split)];
    expect([...timelineOf(START.toISOString(), left), ...timelineOf(before, right)]).toEqual(whole);
  }
});
