import { beforeAll, describe, expect, it } from 'vitest';
import type { StreamFrame } from '../../src/client/types.ts';
import { streamFrame } from '../../src/protocol/frames.ts';
import { Follower, follow } from '../fixtures/follower.ts';
import { type ServerProcess, sharedByTests, startServer, temporaryFolder } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor, type VendorCall } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { Refused, TRANSPORTS, type Watcher, watchSocket, watchToEnd } from '../fixtures/watcher.ts';

const EMBEDDED = [{ provider: 'embedded' }, { provider: 'embedded' }];

/** The next call of one conversation's agents. */
type NextCall = () => Promise<VendorCall>;

const { whenOver } = sharedByTests();
let server: ServerProcess;
let vendor: SteppedVendor;
beforeAll(async () => {
  vendor = await startSteppedVendor();
  whenOver(async () => await vendor[Symbol.asyncDispose]());
  server = await startServer(vendor.environment, whenOver);
});

let talks = 0;

/** Starts a conversation whose agents have a model of their own, which tells its calls from those of others. */
async function begin(maxTurns: number, { url } = server) {
  const model = `talk-${++talks}`;
  const agents = Array.from({ length: 2 }, () => ({ provider: 'local', model }));
  const { id, status } = await startTalk(url, { agents, maxTurns });
  return { id, status, model, nextCall: () => vendor.nextCall(model) };
}

/** Answers the next call with one piece of text. */
async function answerNext(nextCall: NextCall, text: string): Promise<void> {
  const call = await nextCall();
  await call.say(text);
  call.finish();
}

const isDurable = (frame: StreamFrame): boolean => 'seq' in frame;
const typesOf = (frames: readonly StreamFrame[]): string[] => frames.map(({ type }) => type);
const textOf = (frames: readonly StreamFrame[]): string =>
  frames.map((frame) => (frame.type === 'turn.delta' ? frame.text : '')).join('');

/** Waits until the attempt under way has been heard this far, on this connection or before it. */
async function heard(watcher: Watcher, before: string, text: string): Promise<void> {
  if (before !== text) await watcher.until(() => (before + textOf(watcher.frames)).endsWith(text));
}

describe.each(TRANSPORTS)('$name', ({ watch, ended }) => {
  it('4.1: with no cursor, from the first event to the last, with every turn as it is spoken', async () => {
    const { id, model, nextCall } = await begin(2);
    const watcher = await watch(server.url, id);
    await answerNext(nextCall, 'One.');
    await answerNext(nextCall, 'Two.');
    expect(await watcher.closed).toBe(ended);
    const { events, texts } = follow(watcher.frames);
    expect(events).toEqual(await readLog(server.url, id));
    expect([...texts.values()]).toEqual(['One.', 'Two.']);
    expect(watcher.frames.every(({ conversationId }) => conversationId === id)).toBe(true);
    for (const frame of watcher.frames) expect(streamFrame.parse(frame)).toEqual(frame);
    const passing = watcher.frames.find(({ type }) => type === 'turn.started');
    expect(passing).toEqual({
      type: 'turn.started',
      conversationId: id,
      cursor: expect.any(String) as string,
      turn: 1,
      attempt: expect.any(String) as string,
      agent: 'Local',
      provider: 'local',
      model,
    });
  });

  it('4.1, 4.2: after the end, every cursor that was seen gives the events that followed it', async () => {
    const { id, nextCall } = await begin(3);
    const watcher = await watchSocket(server.url, id);
    for (let turn = 1; turn <= 3; turn++) {
      const call = await nextCall();
      for (const word of 'What a piece of work is a man! '.split(' ')) await call.say(`${word} `);
      call.finish();
    }
    await watcher.closed;
    const recording = watcher.frames;
    expect(recording.length).toBeGreaterThan(30);
    for (const [index, { cursor }] of recording.entries()) {
      const expected = recording.slice(index + 1).filter(isDurable);
      const received = await watchToEnd(watch(server.url, id, { after: cursor })).catch((error: unknown) => {
        if (error instanceof Refused && error.status === 204) return [];
        throw error;
      });
      expect({ cursor, received }).toEqual({ cursor, received: expected });
    }
  });

  it('4.1, 4.2: during a turn, every cursor that was seen goes on from there', async () => {
    const { id, nextCall } = await begin(3);
    const first = await watch(server.url, id);
    await answerNext(nextCall, 'The first turn.');
    const call = await nextCall();
    let said = '';
    for (const text of ['The ', 'second 🙂', ' turn']) {
      await call.say(text);
      said += text;
      await heard(first, '', said);
    }
    const recording = [...first.frames];
    const attempt = recording.findLast(({ type }) => type === 'turn.started');
    if (attempt?.type !== 'turn.started') throw new Error('no turn was started');
    const startOfTurn = recording.indexOf(attempt);

    const returned = await Promise.all(
      recording.map(async ({ cursor }, index) => {
        const had = recording.slice(0, index + 1);
        const before = index < startOfTurn ? '' : textOf(recording.slice(startOfTurn, index + 1));
        const watcher = await watch(server.url, id, { after: cursor });
        await heard(watcher, before, said);
        const rest = said.slice(before.length);
        expect(watcher.frames.map((frame) => [frame.type, textOf([frame])])).toEqual([
          ...recording
            .slice(index + 1)
            .filter(isDurable)
            .map(({ type }) => [type, '']),
          ...(index < startOfTurn ? [['turn.started', '']] : []),
          ...(rest === '' ? [] : [['turn.delta', rest]]),
        ]);
        return { had, watcher };
      }),
    );

    await call.say('. It ends.');
    call.finish();
    await answerNext(nextCall, 'The third.');
    const log = await watchToEnd(watch(server.url, id));
    for (const { had, watcher } of returned) {
      expect(await watcher.closed).toBe(ended);
      const follower = follow(watcher.frames, follow(had));
      expect(follower.events).toEqual(follow(log).events);
      expect(follower.texts.get(attempt.attempt)).toBe('The second 🙂 turn. It ends.');
    }
  });

  it('4.2: when another attempt is under way, it is told from its start', async () => {
    const environment = { ...vendor.environment, DATA_DIR: temporaryFolder() };
    const killed = await startServer(environment);
    const { id, nextCall } = await begin(1, killed);
    const before = await watch(killed.url, id);
    const call = await nextCall();
    for (const text of ['This ', 'is ', 'void']) await call.say(text);
    await heard(before, '', 'This is void');
    await killed.stop('SIGKILL');

    const successor = await startServer(environment);
    const next = await nextCall();
    const other = await watch(successor.url, id);
    await next.say('So it begins');
    await heard(other, '', 'So it begins');
    const inside = before.frames.filter(({ type }) => type.startsWith('turn.'));
    expect(inside.length).toBeGreaterThan(2);
    for (const { cursor } of inside) {
      const watcher = await watch(successor.url, id, { after: cursor });
      await heard(watcher, '', 'So it begins');
      expect(typesOf(watcher.frames)).toEqual(['turn.started', 'turn.delta']);
      watcher.cut();
    }
    next.finish();
    expect(await other.closed).toBe(ended);
    follow(other.frames);
  });

  it('4.2, 4.3: whatever the vendor sends, deltas are whole code points and add up to the content', async () => {
    const { id, nextCall } = await begin(3);
    const watcher = await watch(server.url, id);
    const raw = 'Grü\u0000ße\r\n👩‍🚀\u001b[31m 世界\u202e!\r🙂';
    const clean = 'Grüße\n👩‍🚀[31m 世界!\n🙂';
    for (const bytesAtOnce of [1, 3]) {
      const call = await nextCall();
      await call.say(raw, bytesAtOnce);
      call.finish();
    }
    const call = await nextCall();
    // One UTF-16 unit at a time: the halves of a code point come in events of their own.
    for (const unit of raw.split('')) await call.say(unit);
    call.finish();
    expect(await watcher.closed).toBe(ended);
    const { events, texts } = follow(watcher.frames);
    expect([...texts.values()]).toEqual([clean, clean, clean]);
    const contents = events.flatMap((event) => (event.type === 'message' ? [event.message.content] : []));
    expect(contents.slice(1)).toEqual([clean, clean, clean]);
  });

  it.each([
    ['a refused key', (nextCall: NextCall) => refuse(nextCall, 401), 'configuration_error'],
    ['an answer that is cut off', cutOff, 'provider_error'],
  ])('4: after %s, turn.failed and the end with its reason', async (_name, failing, reason) => {
    const { id, nextCall } = await begin(50);
    const watcher = await watch(server.url, id);
    void failing(nextCall);
    expect(await watcher.closed).toBe(ended);
    const failed = watcher.frames.filter((frame) => frame.type === 'turn.failed');
    const [started] = watcher.frames.filter((frame) => frame.type === 'turn.started');
    expect(failed[0]).toMatchObject({ turn: 1, attempt: started?.attempt, agent: 'Local' });
    expect(failed.at(-1)?.retryInMs).toBeNull();
    // Between the two stands what it took, where it took something.
    const before = watcher.frames.filter(({ type }) => type !== 'attempt.spent');
    expect(before.at(-2)).toBe(failed.at(-1));
    expect(watcher.frames.at(-1)).toMatchObject({ type: 'conversation.terminated', reason, by: 'system' });
    follow(watcher.frames);

    // 4.1: it is never repeated, from wherever one comes back.
    for (const { cursor } of watcher.frames.slice(0, -1)) {
      const again = await watchToEnd(watch(server.url, id, { after: cursor }));
      expect(again.every(isDurable)).toBe(true);
      expect(again.at(-1)).toEqual(watcher.frames.at(-1));
    }
  });

  it('4.1: who watches a queued conversation gets its history, and the rest when it runs', async () => {
    const small = await startServer({ ...vendor.environment, MAX_ACTIVE_CONVERSATIONS: '1' });
    const { nextCall, ...running } = await begin(1, small);
    const queued = await startTalk(small.url, { agents: EMBEDDED, maxTurns: 2 });
    expect([running.status, queued.status, queued.startedAt]).toEqual(['running', 'queued', null]);
    const follower = new Follower();
    const watcher = await watch(small.url, queued.id, { onFrame: (frame) => follower.take(frame) });
    await watcher.until((frame) => 'seq' in frame && frame.seq === 2);
    expect(typesOf(watcher.frames)).toEqual(['conversation.created', 'message']);
    await answerNext(nextCall, 'Now it is your turn.');
    expect(await watcher.closed).toBe(ended);
    expect(follower.events).toEqual(await readLog(small.url, queued.id));
    expect(follower.texts.size).toBe(2);
  });
});

async function refuse(nextCall: NextCall, status: number): Promise<void> {
  for (;;) (await nextCall()).fail(status);
}

async function cutOff(nextCall: NextCall): Promise<void> {
  for (;;) {
    const call = await nextCall();
    await call.say('Half a sen');
    call.cut();
  }
}
