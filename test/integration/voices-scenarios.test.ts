import { beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import { BUILT_IN_SCENARIOS } from '../../src/conversation/scenarios/built-in.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import type { RedisServer } from '../fixtures/redis.ts';
import { type ServerProcess, sharedByTests, startServer, temporaryFolder } from '../fixtures/server.ts';
import { eventsOf, readLog } from '../fixtures/talks.ts';

const { whenOver } = sharedByTests();
let redis: RedisServer;
/** Without a vendor, since scenarios would call its models. */
let server: ServerProcess;
let client: Client;
beforeAll(async () => {
  redis = await redisOfTest({}, whenOver);
  server = await startServer({}, whenOver);
  client = createClient({ baseUrl: server.url });
});

describe('9.6: scenarios', () => {
  it.each(BUILT_IN_SCENARIOS.map(({ name }) => name))(
    '%s runs with the embedded pair to its end',
    async (name) => {
      const made = await client.createConversation({
        topic: 'Should science be open by default?',
        scenario: name,
      });
      const over = await ended(server.url, made.id);
      expect(over.status).toBe('terminated');
      expect(['completed', 'max_turns', 'phrase', 'condition', 'consensus', 'repetition']).toContain(
        over.termination?.reason,
      );
      const { decision } = over.settings;
      expect(over.outcome !== null).toBe(decision !== undefined);
      expect(over.settings.scenario).toBe(name);
    },
  );

  it('fills in what a request leaves out: names go wherever they stand, and null takes out', async () => {
    const made = await client.createConversation({
      topic: 'Cats or dogs?',
      scenario: 'debate',
      agents: [{ name: 'Cat' }],
      turnPolicy: { type: 'debate', sides: [['Cat'], ['Contra']], rounds: 0 },
      decision: null,
      termination: { minTurns: 3 },
    });
    expect(made.settings).toMatchObject({
      agents: [
        { name: 'Cat', provider: 'embedded', instructions: expect.stringContaining('for the motion') },
        { name: 'Contra' },
      ],
      turnPolicy: { type: 'debate', sides: [['Cat'], ['Contra']], rounds: 0 },
      termination: { phrases: [], minTurns: 3 },
      maxTurns: 8,
    });
    expect(made.settings).not.toHaveProperty('decision');
    expect(await ended(server.url, made.id)).toMatchObject({
      turns: 4,
      termination: { reason: 'completed' },
    });
  });

  it.each(['SQLite', 'Redis'])('keeps own ones on %s; built-in ones stay as they are', async (backend) => {
    const { url } = backend === 'Redis' ? await startServer({ REDIS_URL: redis.url }) : server;
    const put = (name: string, body: object) => call(url, `/scenarios/${name}`, { method: 'PUT', body });
    const own = { title: 'Short', description: 'Two turns.', settings: { maxTurns: 2 } };
    expect((await put('short', own)).status).toBe(201);
    expect(await put('short', own)).toMatchObject({ status: 200, body: { name: 'short', ...own } });
    expect((await put('debate', own)).status).toBe(409);
    const others = Array.from({ length: 199 }, (_, number) => `other-${number}`);
    for (const name of others) expect((await put(name, own)).status).toBe(201);
    expect(await put('one-too-many', own)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect((await put('short', own)).status).toBe(200);
    for (const name of others) {
      expect((await call(url, `/scenarios/${name}`, { method: 'DELETE' })).status).toBe(204);
    }
    expect((await put('Short!', own)).status).toBe(400);
    const wrong = { ...own, settings: { turnPolicy: { type: 'debate', sides: [['A'], ['B']] } } };
    expect(await put('wrong', wrong)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    const { body } = await call(url, '/scenarios');
    const names = (body as { items: { name: string }[] }).items.map(({ name }) => name);
    expect(names).toEqual([...BUILT_IN_SCENARIOS.map(({ name }) => name), 'short']);
    const made = await call(url, '/conversations', { body: { topic: 'x', scenario: 'short' } });
    expect(made).toMatchObject({ status: 201, body: { maxTurns: 2, settings: { scenario: 'short' } } });
    expect((await call(url, '/scenarios/short', { method: 'DELETE' })).status).toBe(204);
    expect((await call(url, '/scenarios/short', { method: 'DELETE' })).status).toBe(404);
    expect((await call(url, '/scenarios/debate', { method: 'DELETE' })).status).toBe(409);
    expect((await call(url, '/conversations', { body: { topic: 'x', scenario: 'short' } })).status).toBe(400);
  });
});

describe('DESIGN 1 to 5', () => {
  it.each(['SQLite', 'Redis'])(
    '9.2: on %s, every scenario comes to its end, whatever is killed in the middle',
    async (backend) => {
      const folder = temporaryFolder();
      const environment = {
        EMBEDDED_TOKEN_DELAY_MS: '4',
        DATA_DIR: folder,
        ...(backend === 'Redis' ? { REDIS_URL: redis.url } : {}),
      };
      let killed = await startServer(environment);
      const ids = await Promise.all(
        BUILT_IN_SCENARIOS.map(async ({ name }) => {
          const client = createClient({ baseUrl: killed.url });
          return (await client.createConversation({ topic: 'Is tea better?', scenario: name, maxTurns: 12 }))
            .id;
        }),
      );
      for (let kill = 0; kill < 4; kill++) {
        const { url } = killed;
        const sum = async (): Promise<number> => {
          const all = await Promise.all(ids.map((id) => createClient({ baseUrl: url }).getConversation(id)));
          return all.reduce((total, each) => total + each.lastSeq, 0);
        };
        const before = await sum();
        await expect.poll(sum, { timeout: 20_000, interval: 30 }).not.toBe(before);
        await killed.stop('SIGKILL');
        killed = await startServer(environment);
      }
      for (const id of ids) {
        const over = await ended(killed.url, id);
        const log = await readLog(killed.url, id);
        expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
        const turns = eventsOf(log, 'message').map(({ message }) => message.turn);
        expect(turns).toEqual(turns.map((_, index) => index));
        expect(over.turns).toBe(turns.length - 1);
        const voters: string[] = [];
        for (const event of log) {
          if (event.type === 'vote.closed') voters.length = 0;
          if (event.type !== 'ballot.cast') continue;
          expect(voters).not.toContain(event.agent);
          voters.push(event.agent);
        }
        expect(eventsOf(log, 'conversation.closing').length).toBeLessThanOrEqual(1);
        expect(eventsOf(log, 'verdict.given').length).toBeLessThanOrEqual(1);
        expect(log.at(-1)?.type).toBe('conversation.terminated');
      }
    },
  );
});
