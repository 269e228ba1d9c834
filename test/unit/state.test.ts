import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ConversationEvent,
  type MessageMetadata,
  openingEvents,
} from '../../src/conversation/log/events.ts';
import { addUsage, NO_USAGE } from '../../src/conversation/log/record.ts';
import { fold } from '../../src/conversation/log/state.ts';
import { agent, ENDED_BY_USER, ended, reply, START, settings } from '../fixtures/conversations.ts';

const NAMES = ['Ada', 'Ben', '__proto__'];
const opening = openingEvents(settings({ agents: NAMES.map((name) => agent(name)) }), START);

const by = { at: START.toISOString(), by: 'user' } as const;
const pausedAt = (seq: number): ConversationEvent => ({
  seq,
  type: 'conversation.paused',
  for: 'user',
  ...by,
});
const resumedAt = (seq: number): ConversationEvent => ({ seq, type: 'conversation.resumed', ...by });

const metadata: fc.Arbitrary<MessageMetadata> = fc
  .record(
    {
      inputTokens: fc.nat({ max: 5000 }),
      outputTokens: fc.nat({ max: 5000 }),
      costUsd: fc.double({ min: 0, max: 1, noNaN: true }),
    },
    { requiredKeys: [] },
  )
  .map((fields) => ({ ...fields }));

/** Any log that the orchestrator could have written, with pauses in it. */
const log: fc.Arbitrary<ConversationEvent[]> = fc
  .record({
    steps: fc.array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({ content: fc.constantFrom('a b c d', 'a b c e', 'x'), metadata }),
        },
        { weight: 1, arbitrary: fc.constantFrom('paused' as const, 'resumed' as const) },
      ),
      { maxLength: 20 },
    ),
    finished: fc.boolean(),
  })
  .map(({ steps, finished }) => {
    const events: ConversationEvent[] = [...opening];
    let turn = 0;
    for (const step of steps) {
      const seq = events.length + 1;
      if (typeof step === 'string') {
        events.push(step === 'paused' ? pausedAt(seq) : resumedAt(seq));
        continue;
      }
      const event = reply(seq, { sender: NAMES[turn % NAMES.length] ?? '', ...step });
      turn++;
      events.push({ ...event, message: { ...event.message, turn } });
    }
    if (finished) events.push(ended(events.length + 1, ENDED_BY_USER));
    return events;
  });

describe('the state of a conversation', () => {
  it('is nothing before the first event', () => {
    expect(fold(undefined, [])).toBeUndefined();
  });

  it('begins with the opening message as turn 0', () => {
    expect(fold(undefined, opening)).toMatchObject({
      status: 'running',
      createdAt: START.getTime(),
      lastSeq: 2,
      turns: 0,
      usage: NO_USAGE,
      lastMessage: { turn: 0, sender: 'Moderator' },
      agentTurns: NAMES.map(() => 0),
      ending: null,
    });
  });

  it('follows pauses and the end', () => {
    const paused = fold(undefined, [...opening, pausedAt(3)]);
    expect(paused?.status).toBe('paused');
    const resumed = fold(paused, [resumedAt(4)]);
    expect(resumed?.status).toBe('running');
    const over = fold(resumed, [ended(5, ENDED_BY_USER)]);
    expect(over).toMatchObject({ status: 'terminated', lastSeq: 5, ending: ENDED_BY_USER });
  });

  it('is the same however often the fold was interrupted', () => {
    fc.assert(
      fc.property(log, fc.nat(), (events, cut) => {
        const middle = cut % (events.length + 1);
        const first = fold(undefined, events.slice(0, middle));
        expect(fold(first, events.slice(middle))).toEqual(fold(undefined, events));
      }),
    );
  });

  it('leaves the state that it was folded from as it was', () => {
    fc.assert(
      fc.property(log, (events) => {
        const states = events.map((_, index) => fold(undefined, events.slice(0, index + 1)));
        const copies = structuredClone(states);
        for (const [index, state] of states.entries()) fold(state, events.slice(index + 1));
        expect(states).toEqual(copies);
      }),
      { numRuns: 30 },
    );
  });

  it('sums turns and usage over all replies', () => {
    fc.assert(
      fc.property(log, (events) => {
        const replies = events.flatMap((event) =>
          event.type === 'message' && event.message.role === 'agent' ? [event.message] : [],
        );
        const tokens = (field: 'inputTokens' | 'outputTokens') =>
          replies.reduce((sum, { metadata }) => sum + (metadata[field] ?? 0), 0);
        const costs = replies.map(({ metadata }) => metadata.costUsd);
        const state = fold(undefined, events);
        expect(state).toMatchObject({ turns: replies.length, lastSeq: events.length });
        expect(state?.usage).toEqual({
          inputTokens: tokens('inputTokens'),
          outputTokens: tokens('outputTokens'),
          totalTokens: tokens('inputTokens') + tokens('outputTokens'),
          costUsd: costs.some((cost) => cost === undefined)
            ? null
            : costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
        });
        expect(state?.agentTurns).toEqual(
          NAMES.map((name) => replies.filter(({ sender }) => sender === name).length),
        );
      }),
    );
  });

  it('has no cost any more after one reply without a price', () => {
    const unknown = addUsage(NO_USAGE, reply(3).message.metadata);
    expect(unknown.costUsd).toBeNull();
    expect(addUsage(unknown, reply(4, { metadata: { costUsd: 1 } }).message.metadata).costUsd).toBeNull();
  });

  it.each<[string, ConversationEvent[]]>([
    ['an event is left out', [...opening, reply(4)]],
    ['an event comes twice', [...opening, reply(3), reply(3)]],
    ['an event comes too early', [opening[0], reply(3), opening[1]]],
    ['the log has no beginning', [opening[1]]],
    ['the log has two beginnings', [...opening, { ...opening[0], seq: 3 }]],
  ])('is not to be had where %s', (_, events) => {
    expect(() => fold(undefined, events)).toThrow(/event|log/);
  });
});
