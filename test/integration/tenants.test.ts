import { expect, it } from 'vitest';
import { type Call, call } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startServer } from '../fixtures/server.ts';
import { watchEvents, watchSocket } from '../fixtures/watcher.ts';

const CONVERSATIONS = 50;

/** A word that stands in all that a tenant makes, and nowhere else. */
const acme = { name: 'acme', word: 'quillonberry', key: keyOf('acme', 'acme-writer') };
const globex = { name: 'globex', word: 'zephyrinewort', key: keyOf('globex', 'globex-writer') };
const scraper = keyOf('ops', 'scraper', ['metrics:read']);
type Tenant = typeof acme;

it('8.4: of two tenants with 50 conversations each under way neither meets anything of the other', async () => {
  const server = await startServer({
    API_KEYS: listed(acme.key, globex.key, scraper),
    EMBEDDED_TOKEN_DELAY_MS: '2',
    LOG_LEVEL: 'debug',
  });
  const { url } = server;
  /** All that a tenant was answered, apart from what repeats its question. */
  const heard = new Map<Tenant, string[]>([
    [acme, []],
    [globex, []],
  ]);
  const ask = async (tenant: Tenant, path: string, request: Call = {}) => {
    const headers = { ...tenant.key.headers, ...request.headers };
    const answer = await call(url, path, { ...request, headers });
    heard
      .get(tenant)
      ?.push(JSON.stringify(answer.headers), answer.text.replaceAll(path.split('?')[0] ?? '', ''));
    return answer;
  };

  /** The names are the same for both, so that one's are in the other's way where they are not kept apart. */
  async function furnish(tenant: Tenant): Promise<void> {
    const { word } = tenant;
    const settings = { agents: [{ provider: 'embedded', name: word }, { provider: 'embedded' }] };
    const scenario = { title: word, description: `All about ${word}.`, settings };
    const document = { id: 'one', title: word, text: `What the ${word} is, and why it is.` };
    const hook = { url: `https://93.184.216.34/${word}`, events: ['vote.closed'] };
    expect((await ask(tenant, '/scenarios/own', { method: 'PUT', body: scenario })).status).toBe(201);
    expect((await ask(tenant, '/knowledge/papers/documents', { body: document })).status).toBe(201);
    expect((await ask(tenant, '/webhooks', { body: hook })).status).toBe(201);
  }

  async function begin(tenant: Tenant, index: number): Promise<string> {
    const { status, body } = await ask(tenant, '/conversations', {
      headers: { 'idempotency-key': `conversation-${index}` },
      body: {
        topic: `What do you think of the ${tenant.word}, for the ${index}th time?`,
        scenario: 'own',
        knowledge: [{ collection: 'papers' }],
        maxTurns: 4,
        metadata: { [tenant.word]: tenant.word },
      },
    });
    expect(status).toBe(201);
    return (body as { id: string }).id;
  }

  /** Hears a conversation to its end. */
  async function follow(tenant: Tenant, id: string, index: number): Promise<void> {
    const watch = index % 2 === 0 ? watchSocket : watchEvents;
    const watcher = await watch(url, id, tenant.key);
    await watcher.closed;
    heard.get(tenant)?.push(JSON.stringify(watcher.frames));
    expect(watcher.frames.at(-1)?.type).toBe('conversation.terminated');
    expect(JSON.stringify(watcher.frames)).toContain(tenant.word);
  }

  /** Asks for all lists, for the other's word, and for the other's conversation by its id. */
  async function lookAround(tenant: Tenant, other: Tenant, foreign: string): Promise<void> {
    for (const path of [
      '/conversations?limit=200',
      `/search?q=${tenant.word}&limit=50`,
      '/knowledge',
      '/knowledge/papers/documents',
      '/knowledge/papers/documents/one',
      `/knowledge/papers/search?q=${tenant.word}`,
      '/scenarios',
      '/scenarios/own',
      '/webhooks',
      '/v1/models',
      '/providers',
      '/whoami',
    ]) {
      expect([path, (await ask(tenant, path)).status]).toEqual([path, 200]);
    }
    for (const path of [`/search?q=${other.word}`, `/conversations?q=${other.word}`]) {
      expect((await ask(tenant, path)).body).toEqual({ items: [], nextCursor: null });
    }
    for (const [method, way] of [
      ['GET', ''],
      ['GET', '/messages'],
      ['GET', '/log'],
      ['GET', '/timeline'],
      ['GET', '/export'],
      ['GET', '/events'],
      ['POST', '/pause'],
      ['POST', '/terminate'],
      ['POST', '/tickets'],
      ['DELETE', ''],
    ] as const) {
      const path = `/conversations/${foreign}${way}`;
      expect([path, (await ask(tenant, path, { method })).status]).toEqual([path, 404]);
    }
    const wrong = { topic: 'x', scenario: 'none', knowledge: [{ collection: 'none' }] };
    expect((await ask(tenant, '/conversations', { body: wrong })).status).toBe(400);
  }

  await Promise.all([furnish(acme), furnish(globex)]);
  const numbers = Array.from({ length: CONVERSATIONS }, (_, index) => index);
  const ids = new Map<Tenant, string[]>([
    [acme, []],
    [globex, []],
  ]);
  const talks = numbers.flatMap((index) =>
    [acme, globex].map(async (tenant) => {
      const id = await begin(tenant, index);
      ids.get(tenant)?.push(id);
      await follow(tenant, id, index);
    }),
  );
  const idsOf = (tenant: Tenant): string[] => ids.get(tenant) ?? [];
  await expect.poll(() => Math.min(idsOf(acme).length, idsOf(globex).length)).toBeGreaterThan(0);
  const looks = Array.from({ length: 4 }, async () => {
    await lookAround(acme, globex, idsOf(globex)[0] ?? '');
    await lookAround(globex, acme, idsOf(acme)[0] ?? '');
  });
  await Promise.all([...talks, ...looks]);
  await lookAround(acme, globex, idsOf(globex)[0] ?? '');

  const metrics = (await call(url, '/metrics', scraper)).text;
  await server.stop();
  const log = JSON.stringify(server.log) + server.errors();
  expect(new Set([...idsOf(acme), ...idsOf(globex)]).size).toBe(2 * CONVERSATIONS);
  for (const [tenant, other] of [
    [acme, globex],
    [globex, acme],
  ] as const) {
    const all = heard.get(tenant)?.join('\n') ?? '';
    const foreign = [other.word, other.name, ...idsOf(other)];
    expect(all).toContain(tenant.word);
    expect(foreign.filter((text) => all.includes(text))).toEqual([]);
    expect([tenant.word, tenant.name, ...idsOf(tenant)].filter((text) => metrics.includes(text))).toEqual([]);
    expect(log).not.toContain(tenant.word);
    for (const line of server.log.filter((line) => idsOf(tenant).includes(String(line['conversation_id'])))) {
      expect(foreign.filter((text) => JSON.stringify(line).includes(text))).toEqual([]);
    }
  }
});
