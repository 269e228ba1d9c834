import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createConversations, talk } from '../harness/http.ts';
import { type Figure, type Measuring, measure, noted, progress } from '../harness/measurement.ts';
import { type Server, startServer } from '../harness/processes.ts';
import { startCluster, startRedis } from '../harness/redis.ts';
import { sum } from '../harness/statistics.ts';

const INSTANCES = 2;
const WINDOW_S = 15;
/** A word each so many milliseconds makes a turn of about ten seconds; nobody says a word each minute within the window. */
const TALKING_MS = '430';
const SILENT_MS = '60000';
/** So many are made at a time: a Redis that shares its machine with all this has no more to do than it can. */
const MAKING = 100;

interface Stage {
  what: string;
  live: number;
  tokenDelayMs: string;
  nodes: number;
}

const STAGES: readonly Stage[] = [
  { what: '1,000 live, one Redis', live: 1000, tokenDelayMs: TALKING_MS, nodes: 1 },
  { what: '3,000 live that say nothing, one Redis', live: 3000, tokenDelayMs: SILENT_MS, nodes: 1 },
  { what: '1,000 live, a Cluster of three', live: 1000, tokenDelayMs: TALKING_MS, nodes: 3 },
  { what: '300 without a pause, one Redis', live: 300, tokenDelayMs: '0', nodes: 1 },
  { what: '300 without a pause, a Cluster of three', live: 300, tokenDelayMs: '0', nodes: 3 },
];

await measure(
  `${INSTANCES} instances as processes on a redis-server of their own, or on a Cluster of three masters, \`appendfsync always\`. ` +
    'Conversations that all run at once, of the embedded pair at a word each 430 ms; at one each minute, which leaves the ' +
    `locks of the queue alone; or without a pause. Within ${WINDOW_S} s: the CPU time of each node (INFO), its commands, the turns and the CPU time ` +
    'of the instances from their metrics; memory is what all nodes have more than before the conversations were made.',
  async (measuring) => {
    const figures: Figure[] = [];
    for (const stage of STAGES) {
      const found = await figuresOf(measuring, stage);
      if (!found) return { figures, notes: ['There is no redis-server or valkey-server here.'] };
      figures.push(...found);
    }
    return { figures };
  },
);

/** What nodes and instances have used so far, of nodes one value each. */
interface Used {
  atMs: number;
  nodeCpuSeconds: number[];
  commands: number[];
  memoryBytes: number;
  instanceCpuSeconds: number;
  instanceBytes: number;
  turns: number;
  active: number;
}

async function figuresOf(measuring: Measuring, stage: Stage): Promise<Figure[] | undefined> {
  // Each begins with nothing, and leaves nothing to the next.
  await using cleanup = new AsyncDisposableStack();
  // Also where the measurement is told to end in the middle.
  measuring.cleanup.defer(() => cleanup.disposeAsync());
  const { folder, quick } = measuring;
  const live = quick ? stage.live / 10 : stage.live;
  const first = stage.nodes === 1 ? await startRedis(cleanup, folder, 'always') : undefined;
  const urls = first === undefined ? await startCluster(cleanup, folder, 'always', stage.nodes) : [first];
  if (!urls) return undefined;
  const [url = ''] = urls;
  const environment = {
    REDIS_URL: stage.nodes === 1 ? url : url.replace('redis:', 'redis+cluster:'),
    EMBEDDED_TOKEN_DELAY_MS: stage.tokenDelayMs,
    LOG_LEVEL: 'warn',
  };
  const servers = await Promise.all(
    Array.from({ length: INSTANCES }, () => startServer(cleanup, folder, environment)),
  );
  const clients = urls.map((each) => new Redis(each));
  cleanup.defer(() => {
    for (const client of clients) client.disconnect();
  });
  const empty = await usedOf(clients, servers);
  for (let made = 0; made < live; made += MAKING) {
    const { url: at } = servers[(made / MAKING) % INSTANCES] as Server;
    await createConversations(at, Math.min(MAKING, live - made), talk(10_000));
  }
  for (let active = 0; active < live; await delay(500)) ({ active } = await usedOf(clients, servers));
  const full = await usedOf(clients, servers);
  // What the making left to do is over.
  await delay(5000);
  const before = await usedOf(clients, servers);
  await delay(WINDOW_S * 1000);
  const after = await usedOf(clients, servers);

  const seconds = (after.atMs - before.atMs) / 1000;
  const share = (used: number, from: number): number => ((used - from) / seconds) * 100;
  const cpu = after.nodeCpuSeconds.map((used, node) => share(used, before.nodeCpuSeconds[node] ?? 0));
  const commands = after.commands.map((count, node) => (count - (before.commands[node] ?? 0)) / seconds);
  const turns = (after.turns - before.turns) / seconds;
  progress(`${stage.what}: ${turns.toFixed(0)} turns/s, nodes at ${cpu.map(Math.round).join(', ')} %`);
  const each = (values: readonly number[], what: string, unit: string): Figure[] =>
    values
      .toSorted((left, right) => right - left)
      .map((value, node) =>
        noted(`${stage.what}: ${what}${values.length > 1 ? `, node ${node + 1}` : ''}`, unit, value),
      );
  return [
    noted(`${stage.what}: turns`, 'turns/s', turns),
    ...each(cpu, 'CPU of Redis', '% of a core'),
    ...each(commands, 'commands of Redis', '/s'),
    ...(turns > 0
      ? each(
          cpu.map((percent) => (percent * 10) / turns),
          'CPU time of Redis for a turn',
          'ms',
        )
      : []),
    noted(
      `${stage.what}: memory of Redis for each`,
      'KB',
      (full.memoryBytes - empty.memoryBytes) / live / 1000,
    ),
    noted(
      `${stage.what}: CPU of both instances`,
      '% of a core',
      share(after.instanceCpuSeconds, before.instanceCpuSeconds),
    ),
    noted(`${stage.what}: RSS of both instances`, 'MB', after.instanceBytes / 1e6),
  ];
}

async function usedOf(clients: readonly Redis[], servers: readonly Server[]): Promise<Used> {
  const infos = await Promise.all(clients.map((client) => client.info()));
  const metrics = await Promise.all(
    servers.map(async ({ url }) => await (await fetch(`${url}/metrics`)).text()),
  );
  const ofInfo = (name: string): number[] =>
    infos.map((info) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]));
  const ofMetrics = (name: string): number =>
    sum(
      metrics.flatMap((text) =>
        [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
          Number(value),
        ),
      ),
    );
  const system = ofInfo('used_cpu_sys');
  return {
    atMs: performance.now(),
    nodeCpuSeconds: ofInfo('used_cpu_user').map((user, node) => user + (system[node] ?? 0)),
    commands: ofInfo('total_commands_processed'),
    memoryBytes: sum(ofInfo('used_memory')),
    instanceCpuSeconds: ofMetrics('process_cpu_seconds_total'),
    instanceBytes: ofMetrics('process_resident_memory_bytes'),
    turns: ofMetrics('ai_turns_total'),
    active: sum(
      metrics.map((text) => Number(/^ai_conversations\{status="running"\} (\d+)/m.exec(text)?.[1] ?? 0)),
    ),
  };
}
