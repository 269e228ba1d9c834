import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent } from '../../src/client/types.ts';
import { BUILT_IN_SCENARIOS } from '../../src/conversation/scenarios/built-in.ts';
import { startBalancer } from '../fixtures/balancer.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';

/** How many at once; 1,000 were tried, too. */
const TALKS = Number(process.env['AIC_TALKS'] ?? 160);
const READERS = 8;

/** Starts the scenarios by turns. */
async function startAll(url: string): Promise<string[]> {
  const client = createClient({ baseUrl: url });
  return await Promise.all(
    Array.from({ length: TALKS }, async (_, index) => {
      const scenario = BUILT_IN_SCENARIOS[index % BUILT_IN_SCENARIOS.length]?.name ?? '';
      return (await client.createConversation({ topic: `Is the answer ${index}?`, scenario })).id;
    }),
  );
}

/** Waits for all ends; what is not as it is to be stands in what it gives. */
async function faultsOf(url: string, ids: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  const read = async (id: string): Promise<void> => {
    const over = await ended(url, id);
    const log = await readLog(url, id);
    const reason = over.termination?.reason ?? 'none';
    const turns = log.flatMap((event) => (event.type === 'message' ? [event.message.turn] : []));
    const name = over.settings.scenario;
    if (!['completed', 'max_turns', 'phrase', 'condition', 'consensus', 'repetition'].includes(reason)) {
      faults.push(`${name} ended by ${reason}`);
    }
    if (log.some(({ seq }, index) => seq !== index + 1)) faults.push(`${name} has a gap`);
    if (turns.some((turn, index) => turn !== index)) faults.push(`${name} has the turns ${turns.join(' ')}`);
    if ((over.outcome !== null) !== (over.settings.decision !== undefined)) faults.push(`${name}: outcome`);
    faults.push(...votedTwice(log).map((voter) => `${voter} of ${name} voted twice`));
  };
  await Promise.all(
    Array.from({ length: READERS }, async (_, reader) => {
      for (const id of ids.filter((__, index) => index % READERS === reader)) await read(id);
    }),
  );
  return faults;
}

function votedTwice(log: readonly ConversationEvent[]): string[] {
  const twice: string[] = [];
  let voters: string[] = [];
  for (const event of log) {
    if (event.type === 'vote.closed') voters = [];
    if (event.type !== 'ballot.cast') continue;
    if (voters.includes(event.agent)) twice.push(event.agent);
    voters.push(event.agent);
  }
  return twice;
}

describe('9.6: many at once', () => {
  it(`${TALKS} conversations of all scenarios come to their ends, with their outcomes`, {
    timeout: 300_000,
  }, async () => {
    const server = await startServer();
    expect(await faultsOf(server.url, await startAll(server.url))).toEqual([]);
  });

  it(`${TALKS} of them on three instances, of which each is killed once`, { timeout: 300_000 }, async () => {
    const redis = await redisOfTest();
    const environment = { REDIS_URL: redis.url, EMBEDDED_TOKEN_DELAY_MS: '5' };
    const instances = await startFleet(redis.url, 3, () => environment);
    const ports = instances.map(({ port }) => port) as [number, number, number];
    const { url } = await startBalancer(ports);
    const ids = await startAll(url);
    for (const [index, port] of ports.entries()) {
      const lastOf = async (): Promise<number> => {
        const { body } = await call(
          instances[index]?.url ?? '',
          '/conversations?status=terminated&limit=100',
        );
        return (body as { items: unknown[] }).items.length;
      };
      const before = await lastOf();
      await expect
        .poll(async () => (await lastOf()) > before || before >= 90, { timeout: 60_000 })
        .toBe(true);
      await instances[index]?.stop('SIGKILL');
      instances[index] = await startServer({ ...environment, PORT: String(port) });
    }
    expect(await faultsOf(url, ids)).toEqual([]);
  });
});

it('10.8: 200 hands at once on one conversation, from three instances: each stands once or is refused with its reason', async () => {
  const redis = await redisOfTest();
  const instances = await startFleet(redis.url, 3, () => ({ EMBEDDED_TOKEN_DELAY_MS: '20' }));
  const urls = instances.map(({ url }) => url);
  const { id } = await startTalk(urls[0] ?? '', { topic: 'Is tea better?', maxTurns: 1000 });
  const hands = [
    (number: number) => ({ path: 'messages', body: { content: `said ${number}` } }),
    () => ({ path: 'pause', body: {} }),
    (number: number) => ({ path: 'messages', body: { content: `stop ${number}`, interrupt: true } }),
    () => ({ path: 'resume', body: {} }),
    () => ({ path: 'next', body: { agent: 'ELIZA' } }),
    () => ({ path: 'retract', body: { seq: 3 } }),
  ];
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, number) => {
      const { path, body } = hands[number % hands.length]?.(number) ?? { path: '', body: {} };
      const url = urls[number % 3] ?? '';
      const given = await call(url, `/conversations/${id}/${path}`, { method: 'POST', body });
      return { number, path, body, status: given.status, given: given.body as Record<string, unknown> };
    }),
  );
  const refused = answers.filter(({ status }) => status >= 400);
  for (const { status, given } of refused) {
    expect([400, 409]).toContain(status);
    expect(given).toMatchObject({ code: expect.any(String), detail: expect.any(String) });
  }
  const log = await readLog(urls[1] ?? '', id);
  const said = log.flatMap((event) =>
    event.type === 'message' && event.message.role === 'human' ? [event.message.content] : [],
  );
  const stood = answers.flatMap(({ status, path, body }) =>
    path === 'messages' && status === 201 && 'content' in body ? [body.content] : [],
  );
  expect(new Set(said)).toEqual(new Set(stood));
  expect(said).toHaveLength(stood.length);
  expect(stood).toHaveLength(answers.filter(({ path }) => path === 'messages').length);
  const waits = log.flatMap(({ type }) =>
    type === 'conversation.paused' || type === 'conversation.resumed' ? [type] : [],
  );
  expect(waits).toEqual(
    waits.map((_, index) => (index % 2 === 0 ? 'conversation.paused' : 'conversation.resumed')),
  );
  const resumed = answers.filter(({ path, status }) => path === 'resume' && status === 200);
  expect(resumed).toHaveLength(waits.filter((type) => type === 'conversation.resumed').length);
  expect(log.filter(({ type }) => type === 'message.retracted').length).toBeLessThanOrEqual(1);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
});
