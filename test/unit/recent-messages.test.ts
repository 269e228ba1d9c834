import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/conversation/log/events.ts';
import { type ContextMessage, toContext } from '../../src/conversation/log/log.ts';
import { RecentMessages } from '../../src/storage/recent-messages.ts';
import { reply } from '../fixtures/conversations.ts';

const message = (seq: number): Message => reply(seq).message;
const shown = (seq: number): ContextMessage => toContext(message(seq));
const upTo = (last: number): ContextMessage[] =>
  Array.from({ length: last - 1 }, (_, index) => shown(index + 2));
/** A log up to that seq as it is read. */
const read = (last: number) => ({ messages: upTo(last), lastSeq: last });

describe('what is remembered of a log', () => {
  it('is what was read, and what followed on', async () => {
    const recent = new RecentMessages();
    expect(await recent.read('a', 3, async () => read(4))).toEqual(upTo(4));
    recent.follow('a', 4, [shown(5)], 5);
    expect(recent.get('a', 3)).toEqual([3, 4, 5].map(shown));
    expect(recent.get('a', 4)).toBeUndefined();
  });

  it.each([
    ['moved on', (recent: RecentMessages) => recent.follow('a', 4, [shown(5)], 5)],
    ['was dropped', (recent: RecentMessages) => recent.drop('a')],
  ])('is not what was read while the log %s', async (_, change) => {
    const recent = new RecentMessages();
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof read>>();
    const reading = recent.read('a', 3, () => promise);
    change(recent);
    resolve(read(4));
    expect(await reading).toEqual(upTo(4));
    expect(recent.get('a', 3)).toBeUndefined();
  });

  it('is nothing once something is missing in between', async () => {
    const recent = new RecentMessages();
    await recent.read('a', 3, async () => read(4));
    recent.follow('a', 5, [shown(6)], 6);
    expect(recent.get('a', 1)).toBeUndefined();
  });

  it('is nothing of a conversation that is not there, nor after a reading that failed', async () => {
    const recent = new RecentMessages();
    await recent.read('a', 3, async () => ({ messages: [], lastSeq: 0 }));
    await expect(recent.read('b', 3, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    expect(recent.get('a', 3)).toBeUndefined();
    expect(recent.get('b', 3)).toBeUndefined();
  });
});
