import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCursor, parseCursor } from '../../src/conversation/stream/cursor.ts';
import type { LiveItem } from '../../src/conversation/stream/live.ts';
import { LocalLive } from '../../src/live/local.ts';
import { Follower } from '../fixtures/follower.ts';
import { CONVERSATION } from '../fixtures/frames.ts';
import { ScriptedConversation, ScriptedReader, settle } from '../fixtures/scripted-conversation.ts';

/** A conversation that has taken one turn, on a live side that a test can have lose what it said. */
function talk(): { live: LocalLive; conversation: ScriptedConversation } {
  const live = new LocalLive();
  const conversation = new ScriptedConversation(live);
  takeTurn(conversation, 'One');
  return { live, conversation };
}

function takeTurn(conversation: ScriptedConversation, text: string): void {
  conversation.start();
  conversation.say(text);
  conversation.commit();
  conversation.announce();
}

async function readAll(conversation: ScriptedConversation): Promise<void> {
  await settle();
  while (await conversation.release());
}

async function come(conversation: ScriptedConversation, follower = new Follower()): Promise<ScriptedReader> {
  const reader = new ScriptedReader(conversation, follower);
  reader.come();
  await readAll(conversation);
  if (reader.failure !== undefined) throw reader.failure as Error;
  return reader;
}

/** A reader who comes with the cursor that another had in the end. */
async function comeWith(
  conversation: ScriptedConversation,
  cursor: string | undefined,
): Promise<ScriptedReader> {
  const follower = new Follower();
  follower.cursor = cursor;
  return await come(conversation, follower);
}

describe('DESIGN 7, 4.4: a reader whose last event is gone', () => {
  it.each([
    ['another stands in its place', 1, 1],
    ['others stand in its place and behind it', 1, 3],
    ['the log ends before it', 2, 0],
  ])('is told so when it comes back later, where %s', async (_what, lost, turns) => {
    const { conversation } = talk();
    const reader = await come(conversation);
    reader.leave();
    conversation.forgetLast(lost);
    for (let turn = 0; turn < turns; turn++) takeTurn(conversation, 'Else');
    const back = await comeWith(conversation, reader.follower.cursor);
    expect(back.ends).toEqual(['rewritten']);
    expect(back.follower.events).toEqual([]);
  });

  it('is told so wherever it was inside the turn that followed', async () => {
    const { conversation } = talk();
    const reader = await come(conversation);
    const cursors: (string | undefined)[] = [];
    for (const step of [
      () => conversation.start(),
      () => conversation.say('Two'),
      () => conversation.fail(),
    ]) {
      step();
      cursors.push(reader.follower.cursor);
    }
    reader.leave();
    conversation.forgetLast(1);
    takeTurn(conversation, 'Else');
    conversation.start();
    for (const cursor of cursors) {
      expect((await comeWith(conversation, cursor)).ends).toEqual(['rewritten']);
    }
    expect(new Set(cursors).size).toBe(3);
  });

  it('goes on where what it had is left', async () => {
    const { conversation } = talk();
    const reader = await come(conversation);
    reader.leave();
    takeTurn(conversation, 'Two');
    conversation.forgetLast(1);
    takeTurn(conversation, 'Else');
    const back = await come(conversation, reader.follower);
    expect(back.ends).toEqual([]);
    expect(back.follower.events).toHaveLength(4);
  });

  it('with a cursor of a release that had no marks goes on where there is such an event', async () => {
    const { conversation } = talk();
    const { follower } = await come(conversation);
    const { seq } = parseCursor(follower.cursor ?? '', CONVERSATION, 3);
    const old = await comeWith(conversation, formatCursor(CONVERSATION, seq, undefined));
    expect(old.ends).toEqual([]);
    conversation.forgetLast(1);
    const beyond = await comeWith(conversation, formatCursor(CONVERSATION, seq, undefined));
    expect(beyond.ends).toEqual(['rewritten']);
  });
});

describe('DESIGN 7: a reader that nobody told', () => {
  it('finds out by the event that is announced in the place of its last', async () => {
    const { conversation } = talk();
    const reader = await come(conversation);
    conversation.forgetLast(1);
    takeTurn(conversation, 'Else');
    await readAll(conversation);
    expect(reader.ends).toEqual(['rewritten']);
  });

  it('finds out by what is said behind another event', async () => {
    const { live, conversation } = talk();
    const reader = await come(conversation);
    conversation.forgetLast(1);
    conversation.start();
    conversation.say('Else');
    conversation.commit();
    conversation.lose();
    live.forget(CONVERSATION);
    conversation.start();
    await readAll(conversation);
    expect(reader.ends).toEqual(['rewritten']);
    expect(reader.follower.events).toHaveLength(3);
  });

  it('passes over what another history still says, without reading the log for ever', async () => {
    const { live, conversation } = talk();
    const other: LiveItem & object = {
      underWay: {
        id: 'other',
        turn: 2,
        agent: 'Ben',
        provider: 'embedded',
        model: 'eliza',
        afterSeq: 3,
        afterMark: '00000000',
        text: 'Of a history that is gone',
      },
    };
    let follows = 0;
    const follow = live.follow.bind(live);
    live.follow = (...given) => {
      if (++follows > 10) throw new Error('it is read for ever');
      return follow(...given);
    };
    live.started(CONVERSATION, other.underWay);
    const reader = await come(conversation);
    for (const text of [', and', ' goes', ' on']) {
      live.said(CONVERSATION, other.underWay, text);
      await readAll(conversation);
    }
    expect(follows).toBe(1);
    expect(reader.ends).toEqual([]);
    expect(reader.follower.texts.size).toBe(0);
    takeTurn(conversation, 'Two');
    expect(reader.follower.events).toHaveLength(4);
  });
});

const READERS = 3;
const reader = fc.integer({ min: 0, max: READERS - 1 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('turn' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('start' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('say' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('forget' as const), events: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('release' as const) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('come' as const), reader }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('leave' as const), reader }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Begins anew where a reader was told that what it had is gone, which must then be so. */
function beginAnew(one: ScriptedReader, { log }: ScriptedConversation): void {
  if (one.ends.pop() !== 'rewritten') return;
  const last = one.follower.events.at(-1);
  expect(JSON.stringify(last)).not.toBe(log[(last?.seq ?? 0) - 1]?.json);
  one.follower = new Follower({ lossy: true });
}

async function play(steps: readonly Step[]): Promise<void> {
  const { live, conversation } = talk();
  const readers = Array.from(
    { length: READERS },
    () => new ScriptedReader(conversation, new Follower({ lossy: true })),
  );
  const take = async (taken: Step): Promise<void> => {
    if (taken.type === 'turn') takeTurn(conversation, 'Text');
    else if (taken.type === 'start') conversation.start();
    else if (taken.type === 'say') conversation.say('Text');
    else if (taken.type === 'release') await conversation.release();
    else if (taken.type === 'forget') {
      conversation.forgetLast(taken.events);
      live.forget(CONVERSATION);
      live.lost(CONVERSATION);
    } else readers[taken.reader]?.[taken.type]();
    await settle();
  };
  for (const taken of steps) {
    await take(taken);
    for (const one of readers) beginAnew(one, conversation);
  }
  conversation.end();
  conversation.announce();
  for (let round = 0; readers.some(({ follower }) => !follower.ended); round++) {
    if (round > 500) throw new Error('a reader never came to the end');
    for (const one of readers) {
      if (one.failure !== undefined) throw one.failure;
      beginAnew(one, conversation);
      if (!one.follower.ended) one.come();
    }
    await readAll(conversation);
  }
  const log = conversation.log.map(({ json }) => JSON.parse(json) as unknown);
  for (const { follower } of readers) expect(follower.events).toEqual(log);
}

it('DESIGN 7: however often a log loses its last events, whoever had them is told, and nobody else', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), play);
  expect(await fc.check(property, { numRuns: 1000 })).toMatchObject({ failed: false });
});
