import { describe, expect, it } from 'vitest';
import { redisOfTest } from '../fixtures/fleet.ts';
import { call, HANDSHAKE } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { Refused, watchEvents, watchSocket } from '../fixtures/watcher.ts';

const brief = keyOf('acme', 'brief', ['conversations:write'], { limits: { requestsPerMinute: 3 } });
const watching = keyOf('acme', 'watching', ['conversations:write'], { limits: { streams: 2 } });
const free = keyOf('acme', 'free');
const API_KEYS = listed(brief, watching, free);
/** Talks that last. */
const SLOW = { API_KEYS, EMBEDDED_TOKEN_DELAY_MS: '1000' };

const create = async (url: string, { headers }: { headers: Record<string, string> }): Promise<string> => {
  const { body } = await call(url, '/conversations', { headers, body: { topic: 'Is it?' } });
  return (body as { id: string }).id;
};

/** 101, or the status with which a stream is refused. */
const opening = (stream: Promise<unknown>): Promise<number> =>
  stream.then(
    () => 101,
    (error: unknown) => (error instanceof Refused ? error.status : 0),
  );

describe('8.8: requestsPerMinute', () => {
  it('is told in every answer, and beyond it 429 says when to come again', async () => {
    const { url } = await startServer({ API_KEYS });
    for (const left of ['2', '1', '0']) {
      const { status, headers } = await call(url, '/whoami', brief);
      expect([status, headers['ratelimit-limit'], headers['ratelimit-remaining']]).toEqual([200, '3', left]);
    }
    for (const path of ['/whoami', '/conversations/nobody/stream']) {
      const { status, headers, body } = await call(url, path, {
        headers: path === '/whoami' ? brief.headers : { ...HANDSHAKE, ...brief.headers },
      });
      expect([status, headers['ratelimit-remaining']]).toEqual([429, '0']);
      expect(body).toMatchObject({ code: 'rate_limited', status: 429 });
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
    }
    const others = await call(url, '/whoami', free);
    expect([others.status, others.headers['ratelimit-limit']]).toEqual([200, undefined]);
    expect((await call(url, '/livez')).status).toBe(200);
  });

  it('is that of all instances on one Redis', async () => {
    const { url: REDIS_URL } = await redisOfTest();
    const environment = { API_KEYS, REDIS_URL };
    const [one, two] = await Promise.all([startServer(environment), startServer(environment)]);
    const statuses: number[] = [];
    for (const { url } of [one, two, one, two]) statuses.push((await call(url, '/whoami', brief)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
  });
});

describe('8.8: streams', () => {
  it('beyond those that a key may have open are 429, until one of them is closed', async () => {
    const { url } = await startServer(SLOW);
    const id = await create(url, free);
    const socket = await watchSocket(url, id, watching);
    const events = await watchEvents(url, id, watching);
    expect(await opening(watchSocket(url, id, watching))).toBe(429);
    expect(await opening(watchEvents(url, id, watching))).toBe(429);
    expect(await opening(watchSocket(url, id, free))).toBe(101);
    socket.cut();
    await expect.poll(() => opening(watchSocket(url, id, watching))).toBe(101);
    events.cut();
    await expect.poll(() => opening(watchEvents(url, id, watching))).toBe(101);
  });

  it('are those of all instances on one Redis', async () => {
    const { url: REDIS_URL } = await redisOfTest();
    const environment = { ...SLOW, REDIS_URL };
    const [one, two] = await Promise.all([startServer(environment), startServer(environment)]);
    const id = await create(one.url, free);
    const first = await watchSocket(one.url, id, watching);
    await watchSocket(two.url, id, watching);
    for (const { url } of [one, two]) expect(await opening(watchSocket(url, id, watching))).toBe(429);
    first.cut();
    await expect.poll(() => opening(watchSocket(two.url, id, watching))).toBe(101);
  });
});

describe('8.8: activeConversations', () => {
  const two = keyOf('acme', 'two', ['conversations:write'], { limits: { activeConversations: 2 } });
  const environment = { API_KEYS: listed(two, free), EMBEDDED_TOKEN_DELAY_MS: '1000' };

  /** The third of a key waits as queued, whichever server it comes to, until one of its own has ended. */
  async function waits(urls: string[]): Promise<string[]> {
    const at = (index: number): string => urls[index % urls.length] ?? '';
    const statusOf = async (id: string) =>
      ((await call(at(0), `/conversations/${id}`, free)).body as { status: string }).status;
    const ids: string[] = [];
    for (let index = 0; index < 2; index++) {
      const id = await create(at(index), two);
      await expect.poll(() => statusOf(id)).toBe('running');
      ids.push(id);
    }
    const third = await create(at(2), two);
    const others = await create(at(3), free);
    await expect.poll(() => statusOf(others)).toBe('running');
    const before = await statusOf(third);
    await call(at(1), `/conversations/${ids[0]}/terminate`, { method: 'POST', headers: two.headers });
    await expect.poll(() => statusOf(third)).toBe('running');
    return [before, await statusOf(third)];
  }

  it('has the next of a key wait as queued', async () => {
    const { url } = await startServer(environment);
    expect(await waits([url])).toEqual(['queued', 'running']);
  });

  it('is that of all instances on one Redis', async () => {
    const { url: REDIS_URL } = await redisOfTest();
    const shared = { ...environment, REDIS_URL };
    const [one, other] = await Promise.all([startServer(shared), startServer(shared)]);
    expect(await waits([one.url, other.url])).toEqual(['queued', 'running']);
  });
});

describe('8.8: tokensPerDay and costUsdPerDay', () => {
  const poor = keyOf('acme', 'poor', ['conversations:write'], { limits: { tokensPerDay: 3000 } });
  const broke = keyOf('acme', 'broke', ['conversations:write'], { limits: { costUsdPerDay: 0 } });
  const keys = listed(poor, broke, free);
  const TALK = {
    topic: 'Is it?',
    maxTurns: 10_000,
    termination: { phrases: [], similarity: { threshold: 1 } },
  };
  const post = (url: string, { headers }: typeof free) =>
    call(url, '/conversations', { headers, body: TALK });

  /** Until its budget ends a conversation; then nothing new is made. */
  async function spends(url: string, other = url): Promise<number> {
    const { body } = await post(url, poor);
    const path = `/conversations/${(body as { id: string }).id}`;
    const { closed } = await watchSocket(url, path.split('/')[2] ?? '', poor);
    expect(await closed).toBe(1000);
    const ended = (await call(url, path, poor)).body as {
      termination: object;
      usage: { totalTokens: number };
    };
    expect(ended.termination).toMatchObject({ reason: 'token_budget', by: 'system' });
    expect(ended.usage.totalTokens).toBeGreaterThan(0);
    expect(ended.usage.totalTokens).toBeLessThanOrEqual(3000);
    const { status, body: refused, headers } = await post(other, poor);
    expect([status, refused]).toEqual([429, expect.objectContaining({ code: 'budget_spent' })]);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await post(other, broke)).status).toBe(429);
    expect((await post(other, free)).status).toBe(201);
    expect((await call(other, '/conversations', poor)).status).toBe(200);
    return ended.usage.totalTokens;
  }

  it('end what runs, and then nothing new is made; a restart forgets nothing of it', async () => {
    const folder = temporaryFolder();
    const environment = { API_KEYS: keys, DATA_DIR: folder };
    const server = await startServer(environment);
    const spent = await spends(server.url);
    await server.stop();
    const { url } = await startServer(environment);
    const { body } = await post(url, poor);
    const { id } = body as { id: string };
    await (await watchSocket(url, id, poor)).closed;
    const ended = (await call(url, `/conversations/${id}`, poor)).body as { usage: { totalTokens: number } };
    expect(spent + ended.usage.totalTokens).toBeLessThanOrEqual(3000);
  });

  it('are those of all instances on one Redis', async () => {
    const { url: REDIS_URL } = await redisOfTest();
    const environment = { API_KEYS: keys, REDIS_URL };
    const [one, two] = await Promise.all([startServer(environment), startServer(environment)]);
    expect(await spends(one.url, two.url)).toBeGreaterThan(0);
  });
});

describe('8.9: headers', () => {
  it('say on every answer what browsers may make of it, and nothing of what made it', async () => {
    const { url } = await startServer({ API_KEYS });
    const paths = [
      '/livez',
      '/docs',
      '/docs/static/index.html',
      '/openapi.json',
      '/whoami',
      '/nowhere',
      '/%zz',
    ];
    for (const path of paths) {
      const { headers } = await call(url, path);
      expect([path, headers]).toEqual([
        path,
        expect.objectContaining({
          'content-security-policy': expect.stringMatching(/^default-src 'none'/),
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
        }),
      ]);
      expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/);
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['server']));
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['x-powered-by']));
    }
  });

  it('let Swagger UI run: its page has no script and no style of its own', async () => {
    const { url } = await startServer();
    const { text } = await call(url, '/docs');
    expect(text).toMatch(/<script src="/);
    expect(text).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>|<style|\son\w+=|javascript:/i);
    const sources = Array.from(text.matchAll(/(?:src|href)="([^"]+)"/g), ([, source = '']) => source);
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      const { pathname, host } = new URL(source, `${url}/docs/`);
      expect([source, host, (await call(url, pathname)).status]).toEqual([source, new URL(url).host, 200]);
    }
  });
});
