import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { ConnectionError, ProblemError } from '../../src/client/failures.ts';
import type { StreamOptions } from '../../src/client/stream.ts';
import type { StreamFrame } from '../../src/client/types.ts';
import { CONVERSATION, delta, TALK } from '../fixtures/frames.ts';
import { addressOf, problem, ScriptedServer, type ScriptedStream } from '../fixtures/scripted-server.ts';

let server: ScriptedServer;
beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(() => server[Symbol.asyncDispose]());

const AT_ONCE = { firstDelay: 1, longestDelay: 1 };
const stream = (options: StreamOptions = {}) =>
  createClient({ baseUrl: server.url }).watch(CONVERSATION, { reconnection: AT_ONCE, ...options });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function collect(frames: AsyncIterable<StreamFrame>): Promise<StreamFrame[]> {
  const collected: StreamFrame[] = [];
  for await (const frame of frames) collected.push(frame);
  return collected;
}

/** Sends what follows the cursor, as a server does. */
function playFrom(frames: readonly StreamFrame[], after: string | null): readonly StreamFrame[] {
  return frames.slice(frames.findIndex(({ cursor }) => cursor === after) + 1);
}

describe('requests', () => {
  it('2: go to the routes of the protocol', async () => {
    server.answer = () => ({ status: 200, body: { items: [], nextCursor: null } });
    const client = createClient({ baseUrl: `${server.url}/behind/a/prefix/`, apiKey: 'secret' });
    await client.createConversation({ topic: 'Is it?' }, { idempotencyKey: 'k1' });
    await client.getConversation('an id/');
    await client.listConversations({ status: 'running', q: 'a&b', limit: 3 });
    await client.messages('id', { sender: 'Ada', cursor: '7' });
    await client.log('id', { limit: 200 });
    await client.timeline('id', { cursor: '4' });
    await client.terminate('id');
    await client.terminate('id', 'enough');
    await client.deleteConversation('id');
    await client.providers();
    const prefix = '/behind/a/prefix';
    expect(server.requests.map(({ method, path, body }) => [method, path.replace(prefix, ''), body])).toEqual(
      [
        ['POST', '/conversations', '{"topic":"Is it?"}'],
        ['GET', '/conversations/an%20id%2F', ''],
        ['GET', '/conversations?status=running&q=a%26b&limit=3', ''],
        ['GET', '/conversations/id/messages?sender=Ada&cursor=7', ''],
        ['GET', '/conversations/id/log?limit=200', ''],
        ['GET', '/conversations/id/timeline?cursor=4', ''],
        ['POST', '/conversations/id/terminate', ''],
        ['POST', '/conversations/id/terminate', '{"detail":"enough"}'],
        ['DELETE', '/conversations/id', ''],
        ['GET', '/providers', ''],
      ],
    );
    expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true);
    expect(server.requests[0]?.headers['idempotency-key']).toBe('k1');
    expect(server.requests[5]?.headers['content-type']).toBeUndefined();
  });

  it('2.5: a refusal is a ProblemError with all that the server said', async () => {
    const errors = [{ path: 'agents.0.name', message: 'is too long' }];
    server.answer = () => ({
      status: 429,
      body: problem(429, 'rate_limited', errors),
      headers: { 'retry-after': '2' },
    });
    const error = await failure(createClient({ baseUrl: server.url }).createConversation({ topic: '' }));
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({
      code: 'rate_limited',
      status: 429,
      detail: 'refused with rate_limited',
      errors,
      retryAfterMs: 2000,
    });
  });

  it('an answer of something else, and none at all, are told apart from a refusal', async () => {
    const client = createClient({ baseUrl: server.url });
    server.answer = () => ({ status: 502 });
    expect(await failure(client.providers())).toMatchObject({ code: 'unknown', status: 502 });
    server.answer = () => ({ status: 200 });
    expect(await failure(client.providers())).toBeInstanceOf(ConnectionError);
    await server[Symbol.asyncDispose]();
    expect(await failure(client.providers())).toBeInstanceOf(ConnectionError);
    server = await ScriptedServer.start();
    const reason = new Error('enough');
    expect(await failure(client.providers({ signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});

describe('a stream', () => {
  it('4.6: offers the key as a subprotocol, and nothing but aic.v1 without one', async () => {
    const seen: string[][] = [];
    server.onStream = ({ protocols, close }) => {
      seen.push(protocols);
      close(1000);
    };
    await collect(createClient({ baseUrl: server.url, apiKey: 'secret' }).watch(CONVERSATION));
    await collect(stream());
    expect(seen).toEqual([['aic.v1', 'bearer.secret'], ['aic.v1']]);
    const unfit = createClient({ baseUrl: server.url, apiKey: 'c2VjcmV0=' });
    expect(() => unfit.watch(CONVERSATION)).toThrow(/^(?!.*c2Vj).*characters/);
  });

  it('4.4: yields the frames in order and ends after conversation.terminated', async () => {
    server.onStream = ({ send }) => send(...TALK);
    expect(await collect(stream())).toEqual(TALK);
  });

  it('4.4: ends when the server closes with 1000', async () => {
    server.onStream = ({ after, send, close }) => {
      expect(after).toBe('s5');
      send(...playFrom(TALK, after));
      close(1000);
    };
    expect(await collect(stream({ after: 's5' }))).toEqual([]);
  });

  it.each<[string, (opened: ScriptedStream) => void]>([
    ['1001', (opened) => opened.close(1001)],
    ['4429', (opened) => opened.close(4429)],
    ['1011', (opened) => opened.close(1011)],
  ])('4.1: brings each frame once and in order however often it is closed with %s', async (_, end) => {
    const asked: (string | null)[] = [];
    server.onStream = (opened) => {
      asked.push(opened.after);
      const rest = playFrom(TALK, opened.after);
      opened.send(...rest.slice(0, 2));
      if (rest.length > 2) end(opened);
    };
    expect(await collect(stream())).toEqual(TALK);
    expect(asked).toEqual([null, 's2', 'a1+It ', 's3', 'a2+Oh.']);
  });

  it('4.1: brings each frame once and in order when the line is cut', async () => {
    let opened = 0;
    server.onStream = ({ after, send, cut }) => {
      opened += 1;
      send(...playFrom(TALK, after));
      // What was sent right before may be lost with the line, or not.
      if (opened < 5) cut();
    };
    expect(await collect(stream())).toEqual(TALK);
  });

  it('4.4: throws where events are gone that it has yielded, since its cursor stands for them', async () => {
    server.onStream = ({ send, close }) => {
      send(...TALK.slice(0, 2));
      close(4410);
    };
    await expect(collect(stream())).rejects.toMatchObject({ code: 'invalid_cursor', retryable: false });
  });

  it('comes back with the cursor it was given as long as no frame has come', async () => {
    const asked: (string | null)[] = [];
    server.onStream = ({ after, cut, close }) => {
      asked.push(after);
      if (asked.length < 4) cut();
      else close(1000);
    };
    await collect(stream({ after: 's3' }));
    expect(asked).toEqual(['s3', 's3', 's3', 's3']);
  });

  it('comes back when what it gets is no frame', async () => {
    let opened = 0;
    server.onStream = ({ send }) => (opened++ === 0 ? send(['no frame']) : send(...TALK));
    expect(await collect(stream())).toEqual(TALK);
  });

  it('gives up after so many failures in a row, and a frame starts the count anew', async () => {
    const bringsFrame = [false, false, true, false, false, false];
    let opened = 0;
    server.onStream = ({ send, close }) => {
      if (bringsFrame[opened]) send(...TALK.slice(0, 1));
      opened += 1;
      close(1011);
    };
    const reading = collect(stream({ reconnection: { ...AT_ONCE, failures: 4 } }));
    expect(await failure(reading)).toMatchObject({ name: 'ConnectionError', message: /4 times.*1011/ });
    expect(opened).toBe(bringsFrame.length);
  });

  it('says so when the server is fine but a stream can never be opened', async () => {
    server.refuse = () => ({ status: 502 });
    server.answer = () => ({ status: 200, body: {} });
    const reading = collect(stream({ reconnection: { ...AT_ONCE, failures: 2 } }));
    expect(await failure(reading)).toMatchObject({ name: 'ConnectionError', message: /2 times.*WebSockets/ });
  });

  it('4.5: throws what the server says over HTTP when it refuses the stream', async () => {
    server.refuse = () => ({ status: 404 });
    expect(await failure(collect(stream()))).toMatchObject({
      name: 'ProblemError',
      code: 'not_found',
    });
    expect(server.requests.map(({ path }) => path)).toEqual([`/conversations/${CONVERSATION}`]);

    server.refuse = () => ({ status: 400 });
    server.answer = ({ path }) =>
      path.endsWith('/events?after=forged')
        ? { status: 400, body: problem(400, 'invalid_cursor') }
        : { status: 200, body: {} };
    const forged = await failure(collect(stream({ after: 'forged' })));
    expect(forged).toMatchObject({ name: 'ProblemError', code: 'invalid_cursor', status: 400 });
  });

  it('tries again when the server is only busy, after as long as it asks', async () => {
    let refused = 0;
    server.refuse = () => (refused++ < 3 ? { status: 429 } : undefined);
    server.answer = () => ({
      status: 429,
      body: problem(429, 'rate_limited'),
      headers: { 'retry-after': '0' },
    });
    server.onStream = ({ send }) => send(...TALK);
    expect(await collect(stream())).toEqual(TALK);
    refused = -10;
    const limit = { reconnection: { ...AT_ONCE, failures: 3 } };
    expect(await failure(collect(stream(limit)))).toMatchObject({ code: 'rate_limited' });
  });

  it('8: a slow reader loses its connection, and no frame', async () => {
    const many = Array.from({ length: 42 }, (_, index) => delta(1, 'Ada', `${index} `));
    const asked: (string | null)[] = [];
    const first = Promise.withResolvers<number>();
    server.onStream = ({ after, send, close, closed }) => {
      asked.push(after);
      if (after === null) void closed.then(first.resolve);
      send(...playFrom(many, after));
      if (after !== null) close(1000);
    };
    const frames: StreamFrame[] = [];
    for await (const frame of stream({ bufferedFrames: 40 })) {
      frames.push(frame);
      // Reads nothing until the buffer is full.
      if (frames.length === 1) await first.promise;
    }
    expect(frames).toEqual(many);
    expect(asked).toEqual([null, 'a1+0 ']);
  });

  it('closes its socket at once when the signal is aborted, also while the reader is busy', async () => {
    for (const busy of [true, false]) {
      const controller = new AbortController();
      const frames = stream({ signal: controller.signal });
      const reading = frames.next();
      const opened = await server.nextStream();
      opened.send(TALK[0] ?? {});
      await reading;
      const waiting = busy ? undefined : failure(frames.next());
      const reason = new Error('enough');
      controller.abort(reason);
      await opened.closed;
      expect(await (waiting ?? failure(frames.next()))).toBe(reason);
    }
  });

  it('ends its wait for another try when the signal is aborted', async () => {
    const controller = new AbortController();
    const forever = { firstDelay: 1e8, longestDelay: 1e8 };
    const reading = failure(stream({ signal: controller.signal, reconnection: forever }).next());
    const opened = await server.nextStream();
    opened.close(1011);
    await opened.closed;
    controller.abort(new Error('enough'));
    expect(await reading).toMatchObject({ message: 'enough' });
  });

  it('closes its socket when the reader leaves', async () => {
    const closed = server.nextStream().then((opened) => {
      opened.send(...TALK.slice(0, 3));
      return opened.closed;
    });
    for await (const frame of stream()) if (frame.type === 'message') break;
    expect(await closed).toBe(1000);
  });

  it('says that nothing answers when nothing does', async () => {
    const silent = createServer((socket: Socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const client = createClient({ baseUrl: addressOf(silent) });
    const frames = client.watch(CONVERSATION, { reconnection: { ...AT_ONCE, failures: 2 } });
    expect(await failure(frames.next())).toMatchObject({
      name: 'ConnectionError',
      message: /does not answer/,
    });
    silent.close();
  });
});
