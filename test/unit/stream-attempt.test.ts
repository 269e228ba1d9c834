import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttemptUnderWay,
  deltaFrame,
  type Frame,
  startedFrame,
} from '../../src/conversation/stream/frames.ts';
import type { LiveFeed, LiveItem, LiveListener } from '../../src/conversation/stream/live.ts';
import { LocalLive } from '../../src/live/local.ts';
import { Follower } from '../fixtures/follower.ts';
import { CONVERSATION } from '../fixtures/frames.ts';
import { ScriptedConversation, ScriptedReader, settle } from '../fixtures/scripted-conversation.ts';

/** A feed that a test speaks for; what is under way when somebody follows comes when the test says so. */
class HandFeed implements LiveFeed {
  #listener: LiveListener = () => {};
  follows = 0;

  async follow(_id: string, listener: LiveListener): Promise<{ stop: () => void }> {
    this.follows++;
    this.#listener = listener;
    return { stop: () => {} };
  }

  give(item: LiveItem): void {
    this.#listener(item);
  }
}

const attemptOf = (id: string, text = ''): AttemptUnderWay => ({
  id,
  turn: 1,
  agent: 'Ada',
  provider: 'embedded',
  model: 'eliza',
  afterSeq: 2,
  afterMark: undefined,
  text,
});
const started = (id: string): Frame => startedFrame(CONVERSATION, attemptOf(id));
const delta = (id: string, from: number, text: string): Frame =>
  deltaFrame(CONVERSATION, attemptOf(id), text, from + text.length);
const snapshot = (id: string, text: string): LiveItem => ({ underWay: attemptOf(id, text) });

function failed(id: string): Frame {
  const live = new LocalLive();
  const items: LiveItem[] = [];
  const attempt = attemptOf(id);
  live.started(CONVERSATION, attempt);
  void live.follow(CONVERSATION, (item) => items.push(item));
  live.failed(CONVERSATION, attempt, { error: 'network: gone', retryInMs: 0 });
  return items[1] as Frame;
}

/** A reader who has had the opening, and what it hears of the first turn from a feed. */
async function listen(feed = new HandFeed(), follower = new Follower()) {
  const conversation = new ScriptedConversation();
  const reader = new ScriptedReader(conversation, follower);
  const said: string[] = [];
  const take = follower.take.bind(follower);
  follower.take = (frame) => {
    take(frame);
    if (frame.type === 'turn.delta') said.push(frame.text);
    else if (frame.type.startsWith('turn.')) said.push(frame.type);
  };
  const come = async (): Promise<void> => {
    reader.come(feed);
    await settle();
    while (await conversation.release());
  };
  await come();
  const give = (...items: LiveItem[]): void => {
    for (const item of items) feed.give(item);
  };
  /** Until it follows again, and has read the log. */
  const again = async (): Promise<void> => {
    await settle();
    while (await conversation.release());
    if (reader.failure !== undefined) throw reader.failure as Error;
  };
  return { conversation, reader, follower, feed, said, give, come, again };
}

describe('4.1, 4.2: a reader inside a turn', () => {
  it('is told what is under way when it hears of it, and then only the rest', async () => {
    const { give, said } = await listen();
    give(snapshot('a', 'One'), delta('a', 3, ', two'), snapshot('a', 'One, two'), snapshot('a', 'One, t'));
    give(snapshot('a', 'One, two, three'), delta('a', 15, '.'));
    expect(said).toEqual(['turn.started', 'One', ', two', ', three', '.']);
  });

  it('is told no piece twice, whole or in part, and no start', async () => {
    const { give, said } = await listen();
    give(started('a'), delta('a', 0, 'Ab'), started('a'), delta('a', 0, 'Ab'), delta('a', 1, 'b🙂d'));
    expect(said).toEqual(['turn.started', 'Ab', '🙂d']);
  });

  it('comes back to an instance that knows less than it had, and hears the rest when that is known', async () => {
    const { give, said, reader, come } = await listen();
    give(started('a'), delta('a', 0, 'Before it left'));
    reader.leave();
    await come();
    give(snapshot('a', 'Before'), delta('a', 6, ' it'), delta('a', 9, ' left, and after.'));
    expect(said).toEqual(['turn.started', 'Before it left', ', and after.']);
  });

  it('follows again where a piece is missing, and where a start is', async () => {
    const { give, said, feed, again } = await listen();
    give(started('a'), delta('a', 0, 'One'), delta('a', 8, ' three'));
    await again();
    expect(feed.follows).toBe(2);
    give(snapshot('a', 'One two three'), delta('b', 0, 'Else'));
    await again();
    expect(feed.follows).toBe(3);
    give(snapshot('b', 'Else'));
    expect(said).toEqual(['turn.started', 'One', ' two three', 'turn.started', 'Else']);
  });

  it('hears of a failure once, and nothing more of that attempt, also when it comes back', async () => {
    const { give, said, reader, come } = await listen();
    const late = (): void =>
      give(failed('a'), snapshot('a', 'Void and more'), delta('a', 4, ' too'), started('a'));
    give(started('a'), delta('a', 0, 'Void'), failed('a'));
    late();
    reader.leave();
    await come();
    late();
    give(started('b'));
    late();
    expect(said).toEqual(['turn.started', 'Void', 'turn.failed', 'turn.started']);
  });

  it('hears no failure of what it never heard of', async () => {
    const { give, said } = await listen();
    give(failed('a'), started('b'));
    expect(said).toEqual(['turn.started']);
  });

  it('stays with the attempt that took the place of another', async () => {
    const { give, said } = await listen();
    give(
      snapshot('a', 'By who died'),
      started('b'),
      delta('b', 0, 'By another'),
      snapshot('a', 'By who died'),
    );
    give(delta('a', 11, ' or was slow'), delta('b', 10, ' one'), started('a'));
    expect(said).toEqual(['turn.started', 'By who died', 'turn.started', 'By another', ' one']);
  });

  it('reads the log where a snapshot is ahead of it, but does not read it for ever', async () => {
    const { give, said, feed, again } = await listen();
    const ahead: LiveItem = { underWay: { ...attemptOf('x', 'Of no log'), afterSeq: 7 } };
    give(ahead);
    await settle();
    expect(feed.follows).toBe(2);
    // As one that follows again is told by the instance that told it before.
    give(ahead);
    await again();
    expect(feed.follows).toBe(2);
    give(started('a'));
    expect(said).toEqual(['turn.started']);
  });

  it('4.3: that lost the rest of an attempt gets it from the message', async () => {
    const { conversation, give, said, again, feed, follower } = await listen();
    conversation.start();
    conversation.say('Heard, lost');
    const attempt = conversation.attempt?.id ?? '';
    give(started(attempt), delta(attempt, 0, 'Heard'));
    conversation.commit();
    give('behind');
    await again();
    expect(feed.follows).toBe(2);
    expect(said).toEqual(['turn.started', 'Heard', ', lost']);
    expect(follower.events).toHaveLength(3);
  });

  it('whatever comes in whichever order, hears a beginning of each attempt, piece by piece', async () => {
    const name = fc.constantFrom('a', 'b');
    const text = 'Ein Stück 🙂 Text 👩‍🚀, ganz';
    // Where code points end, as the sanitiser lets them.
    const ends = Array.from(text).reduce(
      (sum: number[], point) => [...sum, (sum.at(-1) ?? 0) + point.length],
      [0],
    );
    const end = fc.constantFrom(...ends);
    const item = fc.oneof(
      name.map(started),
      name.map(failed),
      fc.tuple(name, end).map(([id, to]) => snapshot(id, text.slice(0, to))),
      fc
        .tuple(name, end, end)
        .filter(([, from, to]) => from < to)
        .map(([id, from, to]) => delta(id, from, text.slice(from, to))),
    );
    const property = fc.asyncProperty(fc.array(item, { maxLength: 40, size: 'max' }), async (items) => {
      const { give, again, follower } = await listen();
      for (const each of items) {
        give(each);
        await again();
        for (const heard of follower.texts.values()) expect(text.startsWith(heard)).toBe(true);
      }
    });
    expect(await fc.check(property, { numRuns: 300 })).toMatchObject({ failed: false });
  });
});

it('DESIGN 7: an event that is announced late leaves alone what began behind it', async () => {
  const live = new LocalLive();
  const items: LiveItem[] = [];
  live.started(CONVERSATION, attemptOf('a', 'Goes on'));
  live.appended(CONVERSATION, [{ seq: 2, type: 'message', json: '{"seq":2}' }]);
  await live.follow(CONVERSATION, (item) => items.push(item));
  expect(items).toEqual([snapshot('a', 'Goes on')]);
  live.appended(CONVERSATION, [{ seq: 3, type: 'message', json: '{"seq":3,"message":{"role":"agent"}}' }]);
  expect(live.underWay(CONVERSATION)).toBeUndefined();
});
