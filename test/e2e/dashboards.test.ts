import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { BOARDS } from '../../grafana/boards.ts';
import { createClient } from '../../src/client/client.ts';
import type { ConversationRequest } from '../../src/client/types.ts';
import { type Prometheus, startPrometheus } from '../fixtures/prometheus.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { startRedis } from '../fixtures/redis.ts';
import { ALERTS, RECORDED } from '../fixtures/rules.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { answer, close, fault, hang, type Script, startVendor, unfinished } from '../fixtures/vendors.ts';
import { watchEvents, watchSocket } from '../fixtures/watcher.ts';

/** Within it, every panel has to have shown something; a machine that has nothing else to do needs a tenth of it. */
const BOUND_MS = 300_000;

/** Every query of every panel and rule, by its place; of alerts, what they compare. */
function allQueries(): Map<string, string> {
  const queries = new Map<string, string>();
  for (const { uid, rows } of BOARDS) {
    for (const panel of Object.values(rows).flat()) {
      for (const [legend, query] of Object.entries(panel.queries)) {
        const filled = query
          .replaceAll('$__rate_interval', '5s')
          .replaceAll('$__range', '1m')
          .replaceAll(/\$(instance|provider)\b/g, '.+');
        queries.set(`${uid} / ${panel.title} / ${legend}`, filled);
      }
    }
  }
  for (const { record } of RECORDED) queries.set(`rule ${record}`, record);
  for (const { alert, expr } of ALERTS) {
    for (const [index, compared] of expr.split(' and ').entries()) {
      const [series = ''] = compared.split(/ (?:[<>]=?|==) /);
      queries.set(`alert ${alert} ${index}`, series);
    }
  }
  return queries;
}

/** Asks until each has been answered once; gives those that never were. */
async function unanswered(prometheus: Prometheus, queries: ReadonlyMap<string, string>): Promise<string[]> {
  const left = new Map(queries);
  const deadline = Date.now() + BOUND_MS;
  while (left.size > 0 && Date.now() < deadline) {
    for (const [place, query] of left) {
      if ((await prometheus.query(query)).length > 0) left.delete(place);
    }
    await delay(500);
  }
  return [...left.keys()];
}

/** Fails one call in four, each time in another way; some models do but one thing. */
function vendorScript(): Script {
  let calls = 0;
  return ({ model }) => {
    const call = ++calls;
    const text = `Answer ${call}: a${call} b${call} c${call} d${call}`;
    if (model === 'broken') return fault('server_error');
    if (model === 'locked') return fault('authentication');
    if (model === 'hangs') return hang;
    // A kept connection that is gone when the next call is made.
    if (model === 'closing') return call % 2 === 0 ? close : answer(text);
    if (model === 'parrot') return answer('The same and the same again, for ever and a day.');
    if (model === 'talkative') return answer(`${call} `.repeat(20_000));
    if (call % 12 === 0) return fault('rate_limited');
    if (call % 12 === 4) return unfinished(text, 'cut');
    return call % 12 === 8 ? fault('overloaded') : answer(text);
  };
}

const local = (model: string) => [
  { provider: 'local', model },
  { provider: 'embedded', model: 'eliza' },
];

const TALKS: readonly Partial<ConversationRequest>[] = [
  { agents: [{ provider: 'chatgpt' }, { provider: 'claude' }], maxTurns: 12 },
  {
    agents: [{ provider: 'claude', fallbacks: [{ provider: 'chatgpt' }] }, { provider: 'chatgpt' }],
    maxTurns: 12,
  },
  {
    agents: [
      { provider: 'local', model: 'parrot' },
      { provider: 'local', model: 'parrot' },
    ],
    termination: {},
  },
  { agents: local('locked') },
  { agents: local('closing'), maxTurns: 8 },
  { agents: local('broken'), onCircuitOpen: 'end' },
];

/** Talks with faults of every kind, until it is told to stop. */
async function loadVendors(server: ServerProcess, signal: AbortSignal): Promise<void> {
  const client = createClient({ baseUrl: server.url });
  while (!signal.aborted) {
    const talks = await Promise.all(TALKS.map((talk) => startTalk(server.url, talk)));
    const hanging = await startTalk(server.url, { agents: local('hangs') });
    const [first, second] = talks;
    if (!first || !second) throw new Error('no talks');
    const cursors = await Promise.all([
      watchSocket(server.url, first.id).then(async ({ frames, closed }) => {
        await closed;
        return frames[3]?.cursor;
      }),
      watchEvents(server.url, second.id).then(async ({ frames, closed }) => {
        await closed;
        return frames[3]?.cursor;
      }),
    ]);
    await (await watchSocket(server.url, first.id, { after: cursors[0] })).closed;
    await (await watchEvents(server.url, second.id, { after: cursors[1] })).closed;
    await client.terminate(hanging.id, 'enough');
    await fetch(`${server.url}/nowhere`);
    await fetch(`${server.url}/conversations`, { method: 'POST', body: '{}' });
  }
}

/** Readers that read nothing of much, and one that stays. */
async function loadReaders(server: ServerProcess): Promise<void> {
  const { id } = await startTalk(server.url, { agents: local('talkative'), maxTurns: 200 });
  const stuck = await watchSocket(server.url, id);
  stuck.pause();
  await (await watchSocket(server.url, id)).closed;
  stuck.resume();
  expect(await stuck.closed).toBe(4429);
}

/** Talks that are moderated, voted on, held back until somebody approves, that look things up, hold a secret, and ask an LLM Guard that is away. */
async function loadVoices(server: ServerProcess, signal: AbortSignal): Promise<void> {
  const client = createClient({ baseUrl: server.url });
  const pair = ['eliza', 'parry'].map((model) => ({ provider: 'embedded', model }));
  const moderator = { provider: 'embedded', name: 'Mo' };
  const secret = 'Use postgres://ada:a1b2c3d4e5f6@db.example.org/talks';
  await client.addDocument('trams', { title: 'Trams', text: 'The first tram of Zurich ran in 1882.' });
  while (!signal.aborted) {
    const talks = await Promise.all([
      startTalk(server.url, { agents: pair, maxTurns: 4, turnPolicy: { type: 'moderator', moderator } }),
      startTalk(server.url, { agents: pair, maxTurns: 2, decision: { type: 'vote', method: 'plurality' } }),
      startTalk(server.url, { agents: pair, maxTurns: 1, approval: 'every_turn' }),
      startTalk(server.url, { agents: pair, maxTurns: 2, knowledge: [{ collection: 'trams' }] }),
      startTalk(server.url, { agents: pair, maxTurns: 2, openingMessage: secret }),
      startTalk(server.url, { agents: pair, maxTurns: 2, guard: { llm_guard: 'flag' } }),
    ]);
    const refused = startTalk(server.url, { openingMessage: secret, guard: { secrets: 'block' } });
    await expect(refused).rejects.toMatchObject({ status: 400 });
    const [, , held] = talks;
    const watcher = await watchSocket(server.url, held.id);
    await watcher.until(({ type }) => type === 'turn.proposed');
    await client.approve(held.id, { decision: 'approve' });
    for (const { id } of talks) await (await watchSocket(server.url, id)).closed;
  }
}

/** A webhook that fails now and then, and is told all that happens; one that is told no more. */
async function hook(server: ServerProcess): Promise<void> {
  let tries = 0;
  const receivers = await Promise.all([
    startReceiver(() => (tries++ % 5 ? 204 : 500)),
    startReceiver(() => 410),
  ]);
  const client = createClient({ baseUrl: server.url });
  for (const receiver of receivers) {
    onTestFinished(() => receiver[Symbol.asyncDispose]());
    await client.createWebhook({ url: receiver.url, events: ['conversation.terminated'] });
  }
}

async function loadRedis(server: ServerProcess, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { id } = await startTalk(server.url, { maxTurns: 20 });
    await (await watchSocket(server.url, id)).closed;
  }
}

it('7: every panel, every rule and every alert has something to show for a server under load', async () => {
  const redis = await startRedis();
  onTestFinished(redis.stop);
  const script = vendorScript();
  const [openai, anthropic] = await Promise.all([
    startVendor('openai', script),
    startVendor('anthropic', script),
  ]);
  onTestFinished(openai.close);
  onTestFinished(anthropic.close);
  const embedded = await startServer({
    OPENAI_API_KEY: 'key-of-chatgpt',
    OPENAI_BASE_URL: openai.baseUrl,
    CHATGPT_MODEL: 'gpt-4.1',
    ANTHROPIC_API_KEY: 'key-of-claude',
    ANTHROPIC_BASE_URL: anthropic.baseUrl,
    CLAUDE_MODEL: 'claude-sonnet-5',
    LOCAL_BASE_URL: openai.baseUrl,
    LOCAL_MODEL: 'm',
    MAX_TOKENS: '32000',
    RETRY_TRIES: '4',
    RETRY_FIRST_DELAY_MS: '1',
    CIRCUIT_OPEN_SECONDS: '1',
    DAILY_COST_LIMIT_USD: '1000',
    WEBHOOKS_ALLOW_PRIVATE: 'true',
    WEBHOOKS_RETRY_SECONDS: '0',
    LLM_GUARD_URL: 'http://127.0.0.1:1',
    GUARD_LLM_GUARD: 'off',
  });
  await hook(embedded);
  const distributed = await startServer({ REDIS_URL: redis.url, DAILY_COST_LIMIT_USD: '1000' });
  const prometheus = await startPrometheus([embedded, distributed].map(({ port }) => `127.0.0.1:${port}`));

  const stopped = new AbortController();
  const load = Promise.all([
    loadVendors(embedded, stopped.signal),
    loadReaders(embedded),
    loadRedis(distributed, stopped.signal),
    loadVoices(embedded, stopped.signal),
  ]);
  const silent = await Promise.race([
    unanswered(prometheus, allQueries()),
    load.then(() => ['the load ended']),
  ]);
  expect(silent).toEqual([]);
  stopped.abort();
  await load;

  // A Redis that is away takes no other metric with it.
  await redis.kill();
  const away = 'instance:ai_storage:there == 0 and instance:up:max == 1';
  expect(await unanswered(prometheus, new Map([['the storage is away', away]]))).toEqual([]);

  // And what fires says what it means: the key of one vendor was refused.
  const summaries = async (): Promise<(string | undefined)[]> =>
    (await prometheus.firing()).map(({ annotations }) => annotations['summary']);
  await expect.poll(summaries).toContain('local refuses us: authentication');
});
