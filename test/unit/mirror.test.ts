import { describe, expect, it } from 'vitest';
import type { LiveItem } from '../../src/conversation/stream/live.ts';
import { LocalLive } from '../../src/live/local.ts';
import type { Said } from '../../src/live/messages.ts';
import { Mirror } from '../../src/live/mirror.ts';
import { reply } from '../fixtures/conversations.ts';
import { CONVERSATION } from '../fixtures/frames.ts';
import { attemptAt } from '../fixtures/instances.ts';

/** A mirror, what those who follow hear of it, and what it asked. */
function hold() {
  const local = new LocalLive();
  const heard: string[] = [];
  void local.follow(CONVERSATION, (item: LiveItem) => {
    if (typeof item === 'string') heard.push(item);
    else if ('underWay' in item) heard.push(`so far: ${item.underWay.text}`);
    else heard.push(item.type === 'turn.delta' ? item.text : item.type);
  });
  const asked: (string | null)[] = [];
  const mirror = new Mirror(local, CONVERSATION, (follows) => asked.push(follows));
  const take = (...messages: Said[]): void => {
    for (const message of messages) mirror.take({ origin: 'there', ...message });
  };
  return { local, mirror, heard, asked, take };
}

function started(id: string, renew = false): Said {
  const { text: _, ...fields } = attemptAt(1, id);
  return { started: fields, renew };
}
const snapshot = (id: string, text: string): Said => ({ snapshot: { ...attemptAt(1, id), text } });
const delta = (attempt: string, from: number, text: string): Said => ({
  delta: { attempt, afterSeq: 2, from, text },
});
const failed = (attempt: string): Said => ({ failed: { attempt, error: 'network', retryInMs: 0 } });

/** The message that an attempt at the first turn became. */
function entry(attempt: string, content: string) {
  const event = reply(3, { content, metadata: { attempt } });
  return { seq: 3, type: event.type, json: JSON.stringify(event) };
}

describe('DESIGN 7, 8: what another instance says', () => {
  it('is shown as if it were said here', () => {
    const { take, heard, asked } = hold();
    take(started('a'), delta('a', 0, 'One'), delta('a', 3, ' two'), failed('a'), started('b'));
    expect(heard).toEqual(['turn.started', 'One', ' two', 'turn.failed', 'turn.started']);
    expect(asked).toEqual([]);
  });

  it('is shown once, whatever is repeated', () => {
    const { take, heard } = hold();
    take(started('a'), delta('a', 0, 'Ab'), delta('a', 0, 'Ab'), delta('a', 1, 'bc'), started('a'));
    take(snapshot('a', 'Abcd'), snapshot('a', 'Abc'), failed('a'), failed('a'));
    expect(heard).toEqual(['turn.started', 'Ab', 'c', 'd', 'turn.failed']);
  });

  it('is asked for again, once, where a piece is missing or a start was', () => {
    const { take, heard, asked } = hold();
    take(delta('a', 3, 'two'), delta('a', 6, 'three'));
    expect(asked).toEqual([null]);
    take(snapshot('a', 'onetwothree'), delta('a', 16, 'five'), delta('a', 20, 'six'));
    expect(asked).toEqual([null, null]);
    take(snapshot('a', 'onetwothree four'), delta('a', 16, ' five'));
    expect(heard).toEqual(['so far: onetwothree', ' four', ' five']);
  });

  it('gives way to another attempt, of which no more is said then', () => {
    const { take, heard, asked } = hold();
    take(started('a'), delta('a', 0, 'Dead'), started('b'), delta('a', 4, ' or slow'), failed('a'));
    take(delta('b', 0, 'Alive'));
    expect(heard).toEqual(['turn.started', 'Dead', 'turn.started', 'Alive']);
    expect(asked).toEqual([]);
  });

  it('is over when the log has gone on, however late it comes', () => {
    const { take, heard, asked, mirror, local } = hold();
    take(started('a'), delta('a', 0, 'In time'));
    local.appended(CONVERSATION, [entry('a', 'In time')]);
    mirror.appended(3);
    take(delta('a', 7, ' not'), snapshot('a', 'In time not'), started('a'));
    expect(heard).toEqual(['turn.started', 'In time', 'message']);
    expect(asked).toEqual([]);
  });

  it('4.3: is completed from the message, where that is what was being said', () => {
    const { take, heard, mirror } = hold();
    take(started('a'), delta('a', 0, 'A begin'));
    mirror.complete([entry('b', 'A beginning by another')]);
    mirror.complete([entry('a', 'Something that a guard wrote')]);
    expect(heard).toEqual(['turn.started', 'A begin']);
    mirror.complete([entry('a', 'A beginning')]);
    mirror.complete([entry('a', 'A beginning')]);
    expect(heard).toEqual(['turn.started', 'A begin', 'ning']);
  });

  it('is answered where a start asks who is there', () => {
    const { take, asked } = hold();
    take(started('a', true), started('a', true), started('b', false));
    expect(asked).toEqual(['a', 'a']);
  });
});
