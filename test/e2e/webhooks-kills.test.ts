import { describe, expect, it, onTestFinished } from 'vitest';
import type { WebhookWithDeliveries } from '../../src/protocol/webhooks.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import { freePort } from '../fixtures/ports.ts';
import { seededRandom } from '../fixtures/random.ts';
import { type Reaction, type Receiver, startReceiver, type Tried } from '../fixtures/receiver.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';

/** Of all conversations together, each of which is told to three receivers; docs/doors.md says what 10,000 come to. */
const EVENTS = Number(process.env['AIC_WEBHOOK_EVENTS'] ?? 240);
const PER_CONVERSATION = 30;
const CONVERSATIONS = Math.ceil(EVENTS / PER_CONVERSATION);
/** Of these the first event hangs once, for as long as a receiver may. */
const HANGING = 4;
const KILLS = Number(process.env['AIC_WEBHOOK_KILLS'] ?? 3);
/** Of the one that misbehaves, which hears each event twice on average; the last kill is to come well before the end. */
const TRIES_BETWEEN_KILLS = Math.floor(EVENTS / (KILLS + 1));

const ENVIRONMENT = {
  EMBEDDED_TOKEN_DELAY_MS: '2',
  WEBHOOKS_ALLOW_PRIVATE: 'true',
  WEBHOOKS_SECRET_KEY: 'a-key-of-the-tests',
  // What a killed instance had goes on elsewhere after 5 s.
  WEBHOOKS_TIMEOUT_SECONDS: '1',
  // The waits have no part in what is shown here; nothing is to be given up.
  WEBHOOKS_RETRY_SECONDS: Array(20).fill('0').join(),
};

const WORSE: Reaction[] = [500, 503, 404, 429, 'close', { status: 302, location: 'http://127.0.0.1:9/' }];

/** Answers half of the tries with something worse, and lets some of the first hang. */
function misbehaving(): (tried: Tried) => Reaction {
  const random = seededRandom(20_261_129);
  const hung = new Set<string>();
  return ({ conversationId, seq }) => {
    if (seq === 1 && hung.size < HANGING && !hung.has(conversationId)) {
      hung.add(conversationId);
      return 'hang';
    }
    return random() < 0.5 ? 204 : (WORSE[Math.floor(random() * WORSE.length)] ?? 500);
  };
}

async function receiver(react?: (tried: Tried) => Reaction): Promise<Receiver> {
  const started = await startReceiver(react);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

async function hook(server: string, { url }: Receiver): Promise<{ id: string; secret: string }> {
  const { status, body } = await call(server, '/webhooks', { body: { url, events: ['*'] } });
  expect(status).toBe(201);
  return body as { id: string; secret: string };
}

/** Each event in order, none before the one ahead of it was heard, and none again but the last. */
function expectInOrder(tried: readonly Tried[], id: string, lastSeq: number): void {
  let heard = 0;
  for (const { conversationId, seq, status } of tried) {
    if (conversationId !== id) continue;
    expect([id, heard, seq === heard + 1 || seq === heard]).toEqual([id, heard, true]);
    if (status === 204) heard = Math.max(heard, seq);
  }
  expect([id, heard]).toEqual([id, lastSeq]);
}

interface Stage {
  /** Asks of whoever is up. */
  url: () => string;
  /** Kills a process with SIGKILL, and starts it again. */
  kill: () => Promise<void>;
}

async function onSqlite(): Promise<Stage> {
  const environment = { ...ENVIRONMENT, DATA_DIR: temporaryFolder(), PORT: String(await freePort()) };
  let server = await startServer(environment);
  return {
    url: () => server.url,
    async kill() {
      await server.stop('SIGKILL');
      server = await startServer(environment);
    },
  };
}

async function onRedis(): Promise<Stage> {
  const redis = await redisOfTest();
  const instances = await startFleet(redis.url, 2, () => ENVIRONMENT);
  let victim = 0;
  const at = (index: number): ServerProcess => instances[index % instances.length] as ServerProcess;
  return {
    url: () => at(victim + 1).url,
    async kill() {
      const { port } = at(victim);
      await at(victim).stop('SIGKILL');
      const again = { ...ENVIRONMENT, REDIS_URL: redis.url, PORT: String(port) };
      instances[victim % instances.length] = await startServer(again);
      victim++;
    },
  };
}

describe(`12: webhooks, ${EVENTS} events to receivers that misbehave, and ${KILLS} kill -9`, () => {
  it.each([
    ['of the server on SQLite', onSqlite],
    ['of instances on Redis', onRedis],
  ])('%s: nothing is missing, in order, under the same id', { timeout: 600_000 }, async (where, start) => {
    const stage = await start();
    const faults: string[] = [];
    const secrets: { id: string; secret: string }[] = [];
    /** Looks at each signature as it comes: later its time is too old. */
    const verifying =
      (index: number, react: (tried: Tried) => Reaction) =>
      (tried: Tried): Reaction => {
        try {
          honest.verify(tried, secrets[index]?.secret ?? '');
        } catch (error) {
          faults.push(`${tried.id}: ${String(error)}`);
        }
        return react(tried);
      };
    const honest = await receiver(verifying(0, () => 204));
    const bad = await receiver(verifying(1, misbehaving()));
    const leaving = await receiver(() => (leaving.tried.length > 20 ? 410 : 204));
    for (const each of [honest, bad]) secrets.push(await hook(stage.url(), each));
    const { id: left } = await hook(stage.url(), leaving);
    const ids = await Promise.all(
      Array.from({ length: CONVERSATIONS }, async (_, index) => {
        // Each has the events that begin it, one a turn, and its end.
        const talk = { topic: `Is the answer ${index}?`, maxTurns: PER_CONVERSATION - 3 };
        return (await startTalk(stage.url(), talk)).id;
      }),
    );
    for (let kill = 1; kill <= KILLS; kill++) {
      await Promise.race([
        bad.until((tried) => tried.length >= kill * TRIES_BETWEEN_KILLS),
        bad.until(() => bad.endsTold.size === CONVERSATIONS),
      ]);
      expect(bad.endsTold.size, 'the kills came behind the end').toBeLessThan(CONVERSATIONS);
      await stage.kill();
    }
    await Promise.all(
      [honest, bad].map(({ until, endsTold }) => until(() => endsTold.size === CONVERSATIONS)),
    );

    for (const id of ids) {
      const log = await readLog(stage.url(), id);
      const { lastSeq } = await ended(stage.url(), id);
      expect(log).toHaveLength(lastSeq);
      for (const { tried } of [honest, bad]) expectInOrder(tried, id, lastSeq);
    }
    expect(faults).toEqual([]);
    for (const { tried } of [honest, bad]) {
      const bodies = new Map<string, string>();
      for (const each of tried) {
        expect(each.id).toBe(`msg_${each.conversationId}_${each.seq}`);
        expect(bodies.get(each.id) ?? each.body).toBe(each.body);
        bodies.set(each.id, each.body);
      }
      expect(bodies.size).toBeGreaterThanOrEqual(CONVERSATIONS * (PER_CONVERSATION - 1));
    }
    expect(bad.tried.filter(({ status }) => status === 0).length).toBeGreaterThan(HANGING);
    const { status } = (await call(stage.url(), `/webhooks/${left}`)).body as WebhookWithDeliveries;
    // Those that were on their way as the first 410 came are all.
    const gone = leaving.tried.filter(({ status }) => status === 410).length;
    expect({ status, few: gone > 0 && gone <= 16 }).toEqual({ status: 'disabled', few: true });
    const events = new Set(honest.tried.map(({ id }) => id)).size;
    const again = honest.told().length + bad.told().length - 2 * events;
    const tries = [honest, bad, leaving].map(({ tried }) => tried.length).join(', ');
    console.log(`${where}: ${events} events, tries ${tries}, ${again} heard twice`);
  });
});
