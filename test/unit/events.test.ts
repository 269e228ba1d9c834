import { describe, expect, it } from 'vitest';
import { openingEvents } from '../../src/conversation/log/events.ts';
import { fold } from '../../src/conversation/log/state.ts';
import { timelineOf } from '../../src/conversation/log/timeline.ts';
import { conversationEvent } from '../../src/protocol/events.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import { timelineEntry } from '../../src/protocol/timeline.ts';
import { START, settings } from '../fixtures/conversations.ts';
import { EVERY_EVENT } from '../fixtures/events.ts';

const at = '2025-11-30T12:00:00.000Z';

/** As a newer release may write it. */
const OF_TOMORROW = { seq: 3, type: 'weather.changed', at, wind: { knots: 12 } };

describe('3: events', () => {
  it('of every type are read as they were written', () => {
    const types = conversationEvent.options.map(({ shape }) => shape.type.value);
    expect(new Set(EVERY_EVENT.map(({ type }) => type))).toEqual(new Set(types));
    for (const event of EVERY_EVENT) {
      expect(readEvent(JSON.stringify(event))).toEqual(event);
      expect(conversationEvent.parse(event)).toEqual(event);
    }
  });

  it.each([
    [
      'a creation without a tenant',
      { type: 'conversation.created', settings: settings() },
      { tenant: 'default' },
    ],
    ['a pause without what it is for', { type: 'conversation.paused' }, { for: 'user', by: 'user' }],
    ['a pause of a person', { type: 'conversation.paused', for: 'human', by: 'system' }, {}],
    ['a resumption by nobody', { type: 'conversation.resumed' }, { by: 'user' }],
  ])('3.5: of earlier releases are read with what they leave out: %s', (_name, written, added) => {
    const json = JSON.stringify({ seq: 1, at, ...written });
    expect(readEvent(json)).toEqual({ seq: 1, at, ...written, ...added });
    expect(conversationEvent.parse(JSON.parse(json))).toEqual(readEvent(json));
  });

  it('of an unknown type come as they are, and whoever reads passes over them', () => {
    const event = readEvent(JSON.stringify(OF_TOMORROW));
    expect(event).toEqual(OF_TOMORROW);
    const before = fold(undefined, openingEvents(settings(), START));
    expect(fold(before, [event])).toMatchObject({
      ...before,
      lastSeq: 3,
      lastMark: expect.any(String) as string,
    });
    expect(timelineOf(at, [event])).toEqual([{ seq: 3, type: 'weather.changed', at }]);
  });

  it('2.7: a timeline tells of every type, and no text of any', () => {
    const entries = timelineOf(at, EVERY_EVENT);
    expect(entries.map(({ seq }) => seq)).toEqual(EVERY_EVENT.slice(1).map(({ seq }) => seq));
    for (const entry of entries) expect(timelineEntry.parse(entry)).toEqual(entry);
    expect(JSON.stringify(entries)).not.toContain('A text');
    expect(JSON.stringify(entries)).toMatch(
      /"for":"human".*"kind":"gratitude".*"decision":"edit".*"valid":2/,
    );
  });
});
