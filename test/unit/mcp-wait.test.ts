import { describe, expect, it } from 'vitest';
import type { LiveListener } from '../../src/conversation/stream/live.ts';
import { untilEnded } from '../../src/doors/mcp/wait.ts';

/** A conversation that somebody waits for, in the hands of a test. */
function conversation(isTerminated: boolean | 'unknown' = false) {
  let listener: LiveListener = () => {};
  let state = isTerminated === 'unknown' ? undefined : isTerminated;
  const counted = { followed: 0, stopped: 0 };
  return {
    counted,
    say: (item: Parameters<LiveListener>[0]) => listener(item),
    end: () => {
      state = true;
    },
    parts: {
      live: {
        follow: async (_id: string, given: LiveListener) => {
          listener = given;
          counted.followed++;
          return { stop: () => void counted.stopped++ };
        },
      },
      log: { isTerminated: async () => state },
    },
  };
}

const LONG_MS = 3_600_000;

describe('13.1: waiting for an end', () => {
  it('is over with the end, whether it is heard of or read, and follows nothing any more', async () => {
    const ended = conversation(true);
    await untilEnded(ended.parts, 'c', LONG_MS, new AbortController().signal);
    const removed = conversation('unknown');
    await untilEnded(removed.parts, 'c', LONG_MS, new AbortController().signal);
    const lost = conversation();
    const waiting = untilEnded(lost.parts, 'c', LONG_MS, new AbortController().signal);
    await Promise.resolve();
    lost.end();
    lost.say('behind');
    await waiting;
    const heard = conversation();
    const hearing = untilEnded(heard.parts, 'c', LONG_MS, new AbortController().signal);
    heard.say({ type: 'conversation.terminated', json: '{}', cursor: 'c' } as never);
    await hearing;
    for (const { counted } of [ended, removed, lost, heard]) {
      await Promise.resolve();
      expect(counted).toEqual({ followed: 1, stopped: 1 });
    }
  });

  it('is over when who waits has left, before or while, and with its time', async () => {
    for (const leave of ['before', 'while', 'never'] as const) {
      const leaving = new AbortController();
      if (leave === 'before') leaving.abort();
      const { parts, counted } = conversation();
      const waiting = untilEnded(parts, 'c', leave === 'never' ? 1 : LONG_MS, leaving.signal);
      if (leave === 'while') leaving.abort();
      await waiting;
      await Promise.resolve();
      expect([leave, counted]).toEqual([leave, { followed: 1, stopped: 1 }]);
    }
  });

  it('fails where nobody can say whether it has ended', async () => {
    const { parts } = conversation();
    const log = { isTerminated: () => Promise.reject(new Error('the disk is full')) };
    const waiting = untilEnded({ ...parts, log }, 'c', LONG_MS, new AbortController().signal);
    await expect(waiting).rejects.toThrow('the disk is full');
  });
});
