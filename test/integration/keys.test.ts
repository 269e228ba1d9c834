import { rmSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { redisOfTest } from '../fixtures/fleet.ts';
import { call, HANDSHAKE } from '../fixtures/http.ts';
import { bearer, keyFile, keyOf, listed } from '../fixtures/keys.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { watchEvents, watchSocket } from '../fixtures/watcher.ts';

const acme = keyOf('acme', 'acme-writer');
const reader = keyOf('acme', 'acme-reader', ['conversations:read']);
const globex = keyOf('globex', 'globex-writer');
const globexToo = keyOf('globex', 'globex-other');
const scraper = keyOf('acme', 'scraper', ['metrics:read']);
const admin = keyOf('ops', 'root', ['admin']);
const expired = keyOf('acme', 'expired', ['admin'], { expiresAt: '2020-01-01T00:00:00Z' });
const unknown = keyOf('acme', 'unknown', ['admin']);
const KEYS = [acme, reader, globex, globexToo, scraper, admin, expired];

interface Operation {
  operationId: string;
  security?: Record<string, string[]>[];
}

/** A body that is taken, where one is needed. */
const BODIES: Record<string, object> = {
  createConversation: { topic: 'Is it?' },
  say: { content: 'Well' },
  chooseNext: { agent: 'Eliza' },
  decideProposal: { decision: 'approve' },
  retractMessage: { seq: 3 },
  createChatCompletion: { model: 'panel/debate', messages: [{ role: 'user', content: 'Is it?' }] },
  putScenario: { title: 'Mine', description: 'Of my own', settings: {} },
};
const OPEN = new Set(['GET /livez', 'GET /readyz']);

interface Route {
  name: string;
  method: string;
  path: string;
  body: object | undefined;
}

const start = async (url: string, headers: Record<string, string>, more: object = {}): Promise<string> => {
  const { status, body } = await call(url, '/conversations', {
    headers,
    body: { topic: 'Is it?', maxTurns: 4, ...more },
  });
  expect(status).toBe(201);
  return (body as { id: string }).id;
};

/** Most tests ask the same server. */
let shared: ServerProcess;
beforeAll(async () => {
  const cleanups: (() => void | Promise<void>)[] = [];
  shared = await startServer({ API_KEYS: listed(...KEYS) }, (cleanup) => cleanups.unshift(cleanup));
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

/** A server with keys and a conversation of the tenant acme, and all routes that it says it has. */
async function prepared() {
  const { url } = shared;
  const ofAcme = await start(url, acme.headers);
  const { body } = await call(url, '/openapi.json');
  const { paths } = body as { paths: Record<string, Record<string, Operation>> };
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, { operationId }]): Route => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path: path.replace('{id}', ofAcme).replace(/\{\w+\}/, 'mine'),
        body: BODIES[operationId],
      }),
    ),
  );
  return { url, ofAcme, routes };
}

/** What each route answers, with the stream's upgrade as one of its own. */
async function statuses(
  { url, routes }: Awaited<ReturnType<typeof prepared>>,
  headers: Record<string, string>,
  which: (route: Route) => boolean = ({ name }) => !OPEN.has(name),
): Promise<Record<string, number>> {
  const upgrades = routes
    .filter(({ path }) => path.endsWith('/stream'))
    .map((route) => ({ ...route, headers: { ...HANDSHAKE, ...headers }, as: 'WebSocket' }));
  expect(upgrades.length).toBe(1);
  const asked = [...routes.map((route) => ({ ...route, headers, as: route.name })), ...upgrades].filter(
    which,
  );
  const answers = asked.map(async ({ as, method, path, body, headers }) => {
    const { status } = await call(url, path, { method, body, headers });
    return [as, status] as const;
  });
  return Object.fromEntries(await Promise.all(answers));
}

const only = (answers: Record<string, number>): Set<number> => new Set(Object.values(answers));

describe('8.3: keys', () => {
  it('are asked for by every route and both streams but those that are open', async () => {
    const server = await prepared();
    expect(server.routes.length).toBeGreaterThan(20);
    for (const headers of [
      {},
      bearer('aic_wrong'),
      bearer(`${acme.key}x`),
      unknown.headers,
      expired.headers,
      { authorization: acme.key },
      { authorization: `Basic ${Buffer.from(`aic:${acme.key}`).toString('base64')}` },
    ] as Record<string, string>[]) {
      const answers = await statuses(server, headers);
      expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 401])));
    }
  });

  it('are refused in the same words, whatever is wrong with them', async () => {
    const { url } = await prepared();
    const answers = await Promise.all(
      [undefined, bearer('aic_wrong'), expired.headers].map((headers) =>
        call(url, '/conversations', { headers }),
      ),
    );
    for (const { headers, body } of answers) {
      expect(headers['www-authenticate']).toBe('Bearer');
      expect(headers['content-type']).toMatch('application/problem+json');
      expect(body).toMatchObject({ code: 'unauthorized', status: 401 });
    }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  it('are not asked for by what is open to all', async () => {
    const { url } = await prepared();
    for (const path of ['/livez', '/readyz', '/openapi.json', '/docs', '/docs/static/swagger-ui.css']) {
      expect([path, (await call(url, path)).status]).toEqual([path, 200]);
    }
    expect((await call(url, '/nowhere')).status).toBe(404);
  });

  it('are told who they are', async () => {
    const { body } = await call((await prepared()).url, '/whoami', { headers: acme.headers });
    expect(body).toEqual({
      name: 'acme-writer',
      tenant: 'acme',
      scopes: ['conversations:write'],
      limits: {},
    });
    const { url } = await startServer();
    expect((await call(url, '/whoami')).body).toEqual({
      name: 'anonymous',
      tenant: 'default',
      scopes: ['conversations:read', 'conversations:write', 'metrics:read', 'admin'],
      limits: {},
    });
  });
});

describe('8.4: scopes', () => {
  const isMetrics = ({ path }: Route) => path === '/metrics';
  const reads = ({ method, path }: Route) => method === 'GET' || path.endsWith('/tickets');

  it('that are too small are 403', async () => {
    const server = await prepared();
    const needsMore = (route: Route) =>
      !OPEN.has(route.name) && !['/whoami', '/metrics'].includes(route.path);
    expect(only(await statuses(server, scraper.headers, needsMore))).toEqual(new Set([403]));
    expect(only(await statuses(server, reader.headers, (route) => !reads(route)))).toEqual(new Set([403]));
    for (const { headers } of [reader, acme]) {
      expect(await statuses(server, headers, isMetrics)).toEqual({ 'GET /metrics': 403 });
    }
  });

  it('that suffice open what they are for', async () => {
    const server = await prepared();
    const { url, ofAcme } = server;
    for (const { headers } of [scraper, admin]) {
      expect(await statuses(server, headers, isMetrics)).toEqual({ 'GET /metrics': 200 });
    }
    for (const { headers } of [reader, acme, admin]) {
      const paths = ['/conversations', `/conversations/${ofAcme}`, '/providers', '/scenarios', '/whoami'];
      for (const path of paths)
        expect([path, (await call(url, path, { headers })).status]).toEqual([path, 200]);
    }
  });
});

describe('8.4: tenants', () => {
  it('have no conversations of others: whatever is asked of one is 404', async () => {
    const server = await prepared();
    const { url, ofAcme } = server;
    const ofOne = ({ path }: Route) => path.startsWith(`/conversations/${ofAcme}`);
    const answers = await statuses(server, globex.headers, ofOne);
    expect(Object.keys(answers).length).toBeGreaterThan(12);
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, 404])));
    expect((await call(url, `/conversations/${ofAcme}`, acme)).status).toBe(200);
  });

  it('2.6: are kept apart in lists and idempotency keys', async () => {
    const { url } = await prepared();
    const keyed = { ...globex.headers, 'idempotency-key': 'once' };
    const id = await start(url, keyed);
    expect(await start(url, keyed)).toBe(id);
    // A key is a tenant's, whoever of it asks.
    expect(await start(url, { ...keyed, ...globexToo.headers })).toBe(id);
    expect(await start(url, { ...acme.headers, 'idempotency-key': 'once' })).not.toBe(id);
    const { body } = await call(url, '/conversations', globex);
    const { items } = body as { items: { id: string; tenant: string }[] };
    expect(items).toContainEqual(expect.objectContaining({ id, tenant: 'globex' }));
    expect(new Set(items.map(({ tenant }) => tenant))).toEqual(new Set(['globex']));
  });

  it('are all seen by admin, which may narrow a list to one, and make things for one', async () => {
    const { url, ofAcme } = await prepared();
    const tenantsIn = async (query: string): Promise<Set<string>> => {
      const { body } = await call(url, `/conversations${query}`, admin);
      return new Set((body as { items: { tenant: string }[] }).items.map(({ tenant }) => tenant));
    };
    const headers = { ...admin.headers, 'x-aic-tenant': 'initech' };
    const { body } = await call(url, '/conversations', { headers, body: { topic: 'For them' } });
    expect(body).toMatchObject({ tenant: 'initech' });
    expect([...(await tenantsIn(''))]).toEqual(expect.arrayContaining(['acme', 'initech']));
    expect(await tenantsIn('?tenant=initech')).toEqual(new Set(['initech']));
    for (const [path, wrong] of [
      ['/conversations', { ...admin.headers, 'x-aic-tenant': 'Not a name' }],
      ['/conversations?tenant=No!', admin.headers],
    ] as const) {
      expect((await call(url, path, { headers: wrong })).status).toBe(400);
    }
    expect((await call(url, `/conversations/${ofAcme}`, admin)).status).toBe(200);
  });

  it('may be named by nobody else', async () => {
    const { url } = await prepared();
    const headers = { ...acme.headers, 'x-aic-tenant': 'globex' };
    expect((await call(url, '/conversations', { headers, body: { topic: 'x' } })).status).toBe(403);
    expect((await call(url, '/conversations?tenant=globex', acme)).status).toBe(403);
  });
});

describe('4.6: streams', () => {
  it('take a key as a header, and a WebSocket also as a subprotocol', async () => {
    const { url, ofAcme } = await prepared();
    const events = await watchEvents(url, ofAcme, reader);
    const byHeader = await watchSocket(url, ofAcme, reader);
    const protocols = ['aic.v1', `bearer.${reader.key}`];
    const bySubprotocol = await watchSocket(url, ofAcme, { protocols });
    expect(bySubprotocol.socket.protocol).toBe('aic.v1');
    for (const watcher of [events, byHeader, bySubprotocol]) {
      await watcher.until(({ type }) => type === 'conversation.terminated');
    }
    for (const wrong of [['aic.v1'], ['aic.v1', 'bearer.aic_wrong'], ['aic.v1', `bearer.${expired.key}`]]) {
      await expect(watchSocket(url, ofAcme, { protocols: wrong })).rejects.toMatchObject({
        status: 401,
      });
    }
    const stranger = ['aic.v1', `bearer.${globex.key}`];
    await expect(watchSocket(url, ofAcme, { protocols: stranger })).rejects.toMatchObject({
      status: 404,
    });
    const unfit = ['aic.v1', `bearer.${scraper.key}`];
    await expect(watchSocket(url, ofAcme, { protocols: unfit })).rejects.toMatchObject({
      status: 403,
    });
  });
});

describe('8.3: API_KEYS_FILE', () => {
  const statusOf = async (url: string, { headers }: { headers: Record<string, string> }) =>
    (await call(url, '/conversations', { headers })).status;
  const told = (event: string, times: number) => {
    let left = times;
    return (line: { event: string }) => line.event === event && --left === 0;
  };

  it('is read again as it changes, and on SIGHUP; streams of keys that are gone are closed', async () => {
    const file = keyFile(acme, reader);
    const server = await startServer({ API_KEYS_FILE: file.path, EMBEDDED_TOKEN_DELAY_MS: '1000' });
    const { url } = server;
    const id = await start(url, acme.headers);
    const open = [
      await watchSocket(url, id, acme),
      await watchEvents(url, id, acme),
      await watchSocket(url, id, reader),
    ] as const;
    file.write(listed(reader, globex));
    await server.logged(told('keys.changed', 1));
    expect(await Promise.all(open.slice(0, 2).map(({ closed }) => closed))).toEqual([4401, 'end']);
    expect(open[2].socket.readyState).toBe(open[2].socket.OPEN);
    expect(await Promise.all([acme, reader, globex].map((key) => statusOf(url, key)))).toEqual([
      401, 200, 200,
    ]);
    const changed = server.logged(told('keys.changed', 2));
    server.process.kill('SIGHUP');
    await changed;
  });

  it('that is faulty or gone leaves the keys that were in force, while requests go on', async () => {
    const file = keyFile(acme);
    const server = await startServer({ API_KEYS_FILE: file.path });
    const faulty = ['[]', '{"name"', JSON.stringify([{ ...acme.entry, scopes: ['everything'] }]), undefined];
    const seen = new Set<number>();
    const seenByOthers = new Set<number>();
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) {
        seen.add(await statusOf(server.url, acme));
        for (const key of [unknown, expired, { headers: bearer('') }]) {
          seenByOthers.add(await statusOf(server.url, key));
        }
      }
    })();
    for (const [index, text] of faulty.entries()) {
      const refused = server.logged(told('keys.refused', index + 1));
      if (text === undefined) rmSync(file.path);
      else file.write(text);
      await refused;
    }
    file.write(listed(acme, globex));
    await server.logged(told('keys.changed', 1));
    over.abort();
    await asking;
    expect(seen).toEqual(new Set([200]));
    expect(seenByOthers).toEqual(new Set([401]));
    expect(await statusOf(server.url, globex)).toBe(200);
    expect(JSON.stringify(server.log)).not.toContain(acme.entry.sha256);
  });

  it('closes streams in the moment in which their key expires', async () => {
    const brief = keyOf('acme', 'brief', ['conversations:write'], {
      // Time enough for a server to start beside others.
      expiresAt: new Date(Date.now() + 8000).toISOString(),
    });
    const { url } = await startServer({ API_KEYS: listed(brief), EMBEDDED_TOKEN_DELAY_MS: '1000' });
    const { closed } = await watchSocket(url, await start(url, brief.headers), brief);
    expect(await closed).toBe(4401);
    expect(await statusOf(url, brief)).toBe(401);
  });
});

describe('8.5: tickets', () => {
  const issue = async (url: string, id: string, { headers } = reader): Promise<string> => {
    const { status, body } = await call(url, `/conversations/${id}/tickets`, { method: 'POST', headers });
    const { ticket, expiresAt } = body as { ticket: string; expiresAt: string };
    expect([status, Math.round((Date.parse(expiresAt) - Date.now()) / 10_000)]).toEqual([201, 6]);
    return ticket;
  };
  const opened = async (url: string, id: string, ticket: string, transport = 'events'): Promise<number> => {
    const path = `/conversations/${id}/${transport}?ticket=${ticket}`;
    if (transport === 'events') return (await call(url, path)).status;
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
    socket.on('error', reject);
    return await promise.finally(() => socket.terminate());
  };

  it('open one stream of one conversation, once, whichever the transport', async () => {
    const { url, ofAcme } = await prepared();
    const other = await start(url, acme.headers);
    for (const [transport, status] of [
      ['events', 200],
      ['stream', 101],
    ] as const) {
      const ticket = await issue(url, ofAcme);
      expect(await opened(url, other, ticket, transport)).toBe(401);
      expect(await opened(url, ofAcme, ticket, transport)).toBe(status);
      expect(await opened(url, ofAcme, ticket, transport)).toBe(401);
    }
    const ticket = await issue(url, ofAcme);
    expect((await call(url, `/conversations/${ofAcme}?ticket=${ticket}`)).status).toBe(401);
    expect((await call(url, `/conversations/${ofAcme}/log?ticket=${ticket}`)).status).toBe(401);
  });

  it('open it once where many come at the same moment', async () => {
    const { url, ofAcme } = await prepared();
    const ticket = await issue(url, ofAcme);
    const answers = await Promise.all(Array.from({ length: 10 }, () => opened(url, ofAcme, ticket)));
    expect(answers.toSorted((left, right) => left - right)).toEqual([200, ...Array<number>(9).fill(401)]);
  });

  it('are those of all instances on one Redis', async () => {
    const { url: REDIS_URL } = await redisOfTest();
    const environment = { REDIS_URL, API_KEYS: listed(acme, reader) };
    const [one, two] = await Promise.all([startServer(environment), startServer(environment)]);
    const id = await start(one.url, acme.headers);
    const ticket = await issue(one.url, id);
    const answers = await Promise.all([one, two, one, two].map(({ url }) => opened(url, id, ticket)));
    expect(answers.toSorted((left, right) => left - right)).toEqual([200, 401, 401, 401]);
    expect(await opened(two.url, id, await issue(one.url, id))).toBe(200);
  });

  it('end with the key that they were issued to', async () => {
    const file = keyFile(acme, reader);
    const server = await startServer({ API_KEYS_FILE: file.path });
    const id = await start(server.url, acme.headers);
    const ticket = await issue(server.url, id);
    file.write(listed(acme));
    await server.logged(({ event }) => event === 'keys.changed');
    expect(await opened(server.url, id, ticket)).toBe(401);
  });
});

describe('10.8: hands', () => {
  it('leave the name of their key in the log', async () => {
    const { url } = await prepared();
    const path = `/conversations/${await start(url, acme.headers, { turnDelayMs: 20_000 })}`;
    await call(url, `${path}/pause`, { method: 'POST', headers: acme.headers });
    const { body } = await call(url, `${path}/log`, acme);
    expect((body as { items: object[] }).items).toContainEqual(
      expect.objectContaining({ type: 'conversation.paused', by: 'user', key: 'acme-writer' }),
    );
  });
});
