import { Redis } from 'ioredis';
import { v7 as uuidv7 } from 'uuid';
import type { Conversation } from '../../src/client/types.ts';
import { newConversation } from '../../src/conversation/log/creation.ts';
import { replyEvent } from '../../src/conversation/log/events.ts';
import { recordAfter } from '../../src/conversation/log/record.ts';
import { DEFAULT_TENANT } from '../../src/protocol/events.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { openRedisStorage } from '../../src/storage/redis/storage.ts';
import { ask, createConversations, talk } from '../harness/http.ts';
import { atMost, type Figure, type Measuring, measure, noted, progress } from '../harness/measurement.ts';
import { startServer } from '../harness/processes.ts';
import { startRedis } from '../harness/redis.ts';
import { percentile, sum } from '../harness/statistics.ts';

const CONVERSATIONS = 300;
const TURNS = 20;
const APPENDS = 3000;
const CONTENT = 'x'.repeat(500);

await measure(
  'A redis-server of its own, once with `appendfsync always` and once with `everysec`. Instances as processes ' +
    `that share it, the embedded pair without delay, ${CONVERSATIONS} conversations of ${TURNS} turns made at once on all ` +
    'of them; from the first createdAt to the last endedAt, median of the rounds after one. Appends: one ' +
    'after the other through the storage, and by turns with them XADD of the same text through ioredis.',
  async (measuring) => {
    const figures: Figure[] = [];
    for (const appendfsync of ['always', 'everysec'] as const) {
      const url = await startRedis(measuring.cleanup, measuring.folder, appendfsync);
      if (url === undefined) return { figures, notes: ['There is no redis-server or valkey-server here.'] };
      figures.push(...(await appends(measuring, url, appendfsync)));
      for (const instances of [1, 2, 3]) {
        const perSecond = await turnsPerSecond(measuring, url, instances);
        const what = `${instances} ${instances === 1 ? 'instance' : 'instances'}, appendfsync ${appendfsync}`;
        figures.push(noted(what, 'turns/s', perSecond));
      }
    }
    return { figures };
  },
);

async function appends({ quick }: Measuring, url: string, appendfsync: string): Promise<Figure[]> {
  const live = { appended: () => {}, removed: () => {} };
  const storage = openRedisStorage({
    client: connect(url, () => {}),
    prefix: 'bench',
    origin: 'bench',
    live,
  });
  const raw = new Redis(url);
  const id = uuidv7();
  const createdAt = new Date();
  const settings = {
    topic: talk(TURNS).topic,
    agents: ['Ada', 'Ben'].map((name) => ({
      name,
      provider: 'embedded',
      model: 'eliza',
      temperature: 0.7,
      maxOutputTokens: 100,
    })),
    openingMessage: 'Well?',
    maxTurns: APPENDS,
    timeoutSeconds: 3600,
    contextMessages: 10,
    termination: { phrases: [], minTurns: 2, similarity: { threshold: 1, consecutive: 10 } },
    metadata: {},
  };
  const tenant = DEFAULT_TENANT;
  const made = newConversation({ id, tenant, settings, createdAt, startedAt: createdAt, idempotency: null });
  await storage.create(made);
  let { record } = made;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let turn = 1; turn <= (quick ? 300 : APPENDS); turn++) {
    const sender = turn % 2 === 1 ? 'Ada' : 'Ben';
    const event = replyEvent(turn + 2, new Date(), { turn, sender, content: CONTENT, metadata: {} });
    record = recordAfter(record, settings, event);
    ours.push(await timed(() => storage.append(id, turn + 1, [event], record)));
    const text = JSON.stringify(event);
    theirs.push(await timed(() => raw.xadd('raw', `${turn}-0`, 'type', 'message', 'json', text)));
  }
  await storage.close();
  await raw.quit();
  const beside = (share: number) => ({ what: 'XADD through ioredis', rounds: percentile(theirs, share) });
  const [p50, p99] = [percentile(ours, 0.5), percentile(ours, 0.99)];
  return [
    noted(`append p50, appendfsync ${appendfsync}`, 'ms', p50, beside(0.5)),
    { ...atMost(`append p99, appendfsync ${appendfsync}`, 'ms', p99, 1), ...besideOf(p99, beside(0.99)) },
  ];
}

function besideOf(ours: number, { what, rounds }: { what: string; rounds: number }) {
  return { beside: { what, value: rounds }, ratio: ours / rounds };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function turnsPerSecond({ cleanup, folder, quick }: Measuring, url: string, instances: number) {
  const servers = await Promise.all(
    Array.from({ length: instances }, () =>
      startServer(cleanup, folder, { REDIS_URL: url, EMBEDDED_TOKEN_DELAY_MS: '0' }),
    ),
  );
  const rounds: number[] = [];
  for (let round = 0; round < (quick ? 2 : 6); round++) {
    const share = CONVERSATIONS / instances;
    const made = await Promise.all(
      servers.map((server) => createConversations(server.url, share, talk(TURNS))),
    );
    const ended = await Promise.all(
      made.flat().map((id, index) => endOf(servers[index % instances]?.url ?? '', id)),
    );
    const from = Math.min(...ended.map(({ createdAt }) => Date.parse(createdAt)));
    const to = Math.max(...ended.map(({ endedAt }) => Date.parse(endedAt ?? '')));
    const perSecond = sum(ended.map(({ turns }) => turns)) / ((to - from) / 1000);
    progress(`${instances} instances, round ${round + 1}: ${Math.round(perSecond)} turns/s`);
    // The first finds everything cold.
    if (round > 0) rounds.push(perSecond);
  }
  for (const server of servers) await server.stop();
  return rounds;
}

/** The conversation when it has ended. */
async function endOf(url: string, id: string): Promise<Conversation> {
  for (;;) {
    const conversation = await ask<Conversation>('GET', `${url}/conversations/${id}`);
    if (conversation.status === 'terminated') return conversation;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
