import supertest from 'supertest';
import { describe, expect, it } from 'vitest';
import { problem } from '../../src/protocol/problem.ts';
import { HANDSHAKE } from '../fixtures/http.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { Refused, watchSocket } from '../fixtures/watcher.ts';

const TOPIC = { topic: 'Is it?', maxTurns: 1 };
const OTHER = 'https://evil.example';
const APP = 'https://app.example';

/** A server with a conversation that lasts. */
async function prepared(environment: Record<string, string> = {}) {
  const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '1000', ...environment });
  const { id } = await startTalk(server.url);
  return { server, id, http: supertest(server.url) };
}

const count = async ({ url }: ServerProcess): Promise<number> =>
  ((await supertest(url).get('/conversations')).body as { items: unknown[] }).items.length;

/** The status with which a server answers by a name. */
const asked = async ({ url }: ServerProcess, host: string, path = '/conversations'): Promise<number> =>
  (await supertest(url).get(path).set('host', host)).status;

describe('8.1: 421 misdirected', () => {
  it('is what every route says to who asks by another name, also one that there is not', async () => {
    const { server, id, http } = await prepared();
    const paths = [
      '/conversations',
      `/conversations/${id}`,
      `/conversations/${id}/messages`,
      `/conversations/${id}/log`,
      `/conversations/${id}/timeline`,
      `/conversations/${id}/events`,
      `/conversations/${id}/stream`,
      '/providers',
      '/metrics',
      '/openapi.json',
      '/docs',
      '/docs/static/index.html',
      '/nowhere',
    ];
    for (const path of paths) {
      const answer = await http.get(path).set('host', 'evil.example:8080');
      expect([path, answer.status, answer.type]).toEqual([path, 421, 'application/problem+json']);
      expect(problem.parse(answer.body)).toMatchObject({ code: 'misdirected', instance: path });
    }
    await http.post('/conversations').set('host', 'evil.example').send(TOPIC).expect(421);
    await http.delete(`/conversations/${id}`).set('host', 'evil.example').expect(421);
    expect(await count(server)).toBe(1);
    const refused = await watchSocket(server.url, id, { headers: { host: 'evil.example' } }).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ status: 421 });
  });

  it('is not said to who asks how the server is, nor to names of this machine', async () => {
    const { server } = await prepared();
    for (const path of ['/livez', '/readyz']) expect(await asked(server, 'evil.example', path)).toBe(200);
    for (const host of ['localhost', '127.0.0.1:1', '[::1]:8080']) {
      expect([host, await asked(server, host)]).toEqual([host, 200]);
    }
  });

  it('is not said to HOST itself, nor to what ALLOWED_HOSTS lists', async () => {
    const anybody = { HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' };
    const { server } = await prepared({ ...anybody, ALLOWED_HOSTS: 'Talks.example, app' });
    for (const host of ['0.0.0.0:8080', 'talks.example', 'app:8080']) {
      expect([host, await asked(server, host)]).toEqual([host, 200]);
    }
    expect(await asked(server, 'evil.example')).toBe(421);
    expect(await asked(await startServer({ ALLOWED_HOSTS: '*' }), 'evil.example')).toBe(200);
  });
});

describe('8.2: 403 forbidden', () => {
  it('is what pages elsewhere hear that would act, and nothing happens', async () => {
    const { server, id, http } = await prepared();
    const create = await http.post('/conversations').set('origin', OTHER).send(TOPIC);
    expect(problem.parse(create.body)).toMatchObject({ code: 'forbidden', status: 403 });
    expect(create.type).toBe('application/problem+json');
    // As a form would send it, for which a browser asks nobody before.
    await http
      .post('/conversations')
      .set('origin', 'null')
      .type('text/plain')
      .send('{"topic":"x"}')
      .expect(403);
    await http.post(`/conversations/${id}/terminate`).set('origin', OTHER).expect(403);
    await http.delete(`/conversations/${id}`).set('origin', OTHER).expect(403);
    await http.put('/nowhere').set('origin', OTHER).expect(403);
    expect(await count(server)).toBe(1);
    await http
      .get(`/conversations/${id}`)
      .expect(200)
      .expect(({ body }) => expect(body.status).toBe('running'));
  });

  it('is what they hear that would open a WebSocket; others are not asked where they come from', async () => {
    const { server, id } = await prepared();
    const open = async (origin?: string): Promise<number> => {
      const headers = origin === undefined ? {} : { origin };
      try {
        (await watchSocket(server.url, id, { headers })).cut();
        return 101;
      } catch (error) {
        return error instanceof Refused ? error.status : 0;
      }
    };
    expect(await open(OTHER)).toBe(403);
    expect(await open('null')).toBe(403);
    expect(await open(server.url)).toBe(101);
    expect(await open(server.url.replace('http:', 'https:'))).toBe(101);
    expect(await open()).toBe(101);
  });

  it('is not said to its own page, nor to who only reads, nor where there is no page', async () => {
    const { server, id, http } = await prepared();
    await http.post('/conversations').set('origin', server.url).send(TOPIC).expect(201);
    await http.post('/conversations').send(TOPIC).expect(201);
    await http
      .post('/conversations')
      .set({ origin: 'https://localhost', host: 'localhost' })
      .send(TOPIC)
      .expect(201);
    for (const path of ['/conversations', `/conversations/${id}`, '/docs', '/metrics']) {
      const answer = await http.get(path).set('origin', OTHER).expect(200);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
    await http.head('/conversations').set('origin', OTHER).expect(200);
    const stream = `/conversations/${id}/stream`;
    await http
      .get(stream)
      .set({ ...HANDSHAKE, 'sec-websocket-version': '7', origin: OTHER })
      .expect(400);
  });
});

describe('8.2: ALLOWED_ORIGINS', () => {
  it('may act, read all answers, and open streams', async () => {
    const { server, id, http } = await prepared({ ALLOWED_ORIGINS: `${APP},http://localhost:3000` });
    for (const test of [
      http.post('/conversations').send(TOPIC),
      http.post('/conversations').send({}),
      http.get('/conversations'),
      http.get('/conversations/nobody'),
      http.get(`/conversations/${id}`),
    ]) {
      const { headers } = await test.set('origin', APP);
      expect(headers['access-control-allow-origin']).toBe(APP);
      expect(headers['vary']).toMatch(/origin/i);
      expect(headers['access-control-expose-headers']).toMatch(/location/);
      expect(headers).not.toHaveProperty('access-control-allow-credentials');
    }
    const leaving = new AbortController();
    const events = await fetch(`${server.url}/conversations/${id}/events`, {
      headers: { origin: APP },
      signal: leaving.signal,
    });
    expect(events.headers.get('access-control-allow-origin')).toBe(APP);
    leaving.abort();
    (await watchSocket(server.url, id, { headers: { origin: APP } })).cut();
  });

  it('are told before what they may send', async () => {
    const { http } = await prepared({ ALLOWED_ORIGINS: APP });
    const preflight = {
      'access-control-request-method': 'DELETE',
      'access-control-request-headers': 'content-type',
    };
    const { status, headers } = await http.options('/conversations').set({ ...preflight, origin: APP });
    expect(status).toBe(204);
    expect(headers['access-control-allow-origin']).toBe(APP);
    expect(headers['access-control-allow-methods']).toMatch(/DELETE/);
    expect(headers['access-control-allow-headers']).toBe('content-type');
  });

  it('are the only ones: no other is told that it may read, or act', async () => {
    const { http } = await prepared({ ALLOWED_ORIGINS: APP });
    for (const origin of [OTHER, `${APP}.evil`, 'http://app.example', 'null']) {
      const read = await http.get('/conversations').set('origin', origin).expect(200);
      const preflight = await http
        .options('/conversations')
        .set({ 'access-control-request-method': 'POST', origin });
      for (const { headers } of [read, preflight]) {
        expect(headers).not.toHaveProperty('access-control-allow-origin');
      }
      await http.post('/conversations').set('origin', origin).send(TOPIC).expect(403);
    }
  });
});
