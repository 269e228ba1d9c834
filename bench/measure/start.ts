import { statSync } from 'node:fs';
import { join } from 'node:path';
import { EVERY_TENANT } from '../../src/conversation/log/log.ts';
import { LocalLive } from '../../src/live/local.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { COMMON_WORD, RARE_WORD, writeArchive } from '../harness/archive.ts';
import { ask } from '../harness/http.ts';
import { atMost, type Figure, measure, noted, progress } from '../harness/measurement.ts';
import { gatherStatements, scansOf } from '../harness/plans.ts';
import { startServer } from '../harness/processes.ts';
import { RequestTimer } from '../harness/request-timer.ts';
import { median, percentile } from '../harness/statistics.ts';

const CONVERSATIONS = 100_000;
const TURNS = 20;
const BYTES = 200;

interface Listing {
  items: { id: string }[];
  nextCursor: string | null;
}

await measure(
  'A file of 100,000 ended conversations of 20 messages, written beforehand by the storage itself: the time ' +
    'from the start of the process to the first 200 of /readyz, the median of several starts; then requests one ' +
    'after the other over a keep-alive connection, each kind once 60 of each have warmed the server up, until the ' +
    'last byte of the answer. The file is in the page cache, as after a restart of the ' +
    'process and not of the machine. Plans: EXPLAIN QUERY PLAN of every statement that reading prepares.',
  async ({ cleanup, folder, quick }) => {
    const conversations = quick ? 4000 : CONVERSATIONS;
    const startedAt = performance.now();
    const { ids, from } = writeArchive(folder, { conversations, turns: TURNS, bytes: BYTES, ended: true });
    const path = join(folder, 'conversations.sqlite');
    const megabytes = statSync(path).size / 1e6;
    progress(
      `${megabytes.toFixed(0)} MB written in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`,
    );

    const starts: number[] = [];
    for (let index = 0; index < (quick ? 2 : 5); index++) {
      const server = await startServer(cleanup, folder);
      starts.push(server.readyAfter);
      await server.stop();
    }
    const at = conversations.toLocaleString('en-US');
    const figures: Figure[] = [
      atMost(`start to /readyz with ${at} conversations`, 's', median(starts) / 1000, 1.5),
      noted('the slowest start', 's', percentile(starts, 1) / 1000),
    ];

    const server = await startServer(cleanup, folder);
    const requests = await requestsOf(server.url, ids, from);
    // A server that has run for a while is what is meant: the first kinds of request would be measured on code that is
    // not compiled yet.
    const timer = await RequestTimer.connect(server.url);
    for (const [, paths] of requests) await timesOf(timer, paths, quick ? 10 : 60);
    for (const [what, paths] of requests) {
      const latencies = await timesOf(timer, paths, quick ? 100 : 400);
      const p50 = percentile(latencies, 0.5).toFixed(2);
      figures.push(atMost(`${what}, p99 (p50 ${p50} ms)`, 'ms', percentile(latencies, 0.99), 10));
    }
    timer.close();
    await server.stop();

    const { scans, plans } = scansOf(path, await statementsOfReading(folder, ids, from));
    figures.push(atMost('plans that scan a table', 'statements', scans.length, 0));
    const said = scans.map(({ sql, step }) => `${step} in \`${sql.replace(/^SELECT .* FROM /, '… FROM ')}\``);
    return {
      figures,
      notes: [`The file has ${megabytes.toFixed(0)} MB; ${plans.length} steps of plans were read.`, ...said],
    };
  },
);

/** The paths of each kind of request, taken in turn. */
async function requestsOf(url: string, ids: string[], from: Date): Promise<[string, string[]][]> {
  const list = (query: string): string[] => [`/conversations?${query}`];
  const some = Array.from({ length: 97 }, (_, index) => ids[Math.floor((index * ids.length) / 97)] ?? '');
  const early = new Date(from.getTime() + (ids.length * 1000) / 10).toISOString();
  let cursor = '';
  for (let page = 0; page < 200; page++) {
    const before = cursor === '' ? '' : `&cursor=${cursor}`;
    const { nextCursor } = await ask<Listing>('GET', `${url}/conversations?limit=10${before}`);
    cursor = nextCursor ?? cursor;
  }
  return [
    ['list', list('')],
    ['list of 200', list('limit=200')],
    ['list by status, all of them', list('status=terminated')],
    ['list by status, none of them', list('status=running')],
    ['list by provider, common', list('provider=embedded')],
    ['list by provider, one in 100', list('provider=claude')],
    ['list by q, in every topic', list(`q=${COMMON_WORD}`)],
    ['list by q, in one topic of 1,000', list(`q=${RARE_WORD}`)],
    ['list by q, in no topic', list('q=nowheretobefound')],
    ['list by q of two letters', list('q=zz')],
    ['list by q of two letters, in every topic', list(`q=${COMMON_WORD.slice(0, 2)}`)],
    ['list by q of one letter, in every topic', list(`q=${COMMON_WORD.slice(0, 1)}`)],
    ['list by q and provider', list(`q=${RARE_WORD}&provider=claude`)],
    ['list before an early time', list(`createdBefore=${early}`)],
    ['list before an early time, by provider', list(`createdBefore=${early}&provider=claude`)],
    ['list, 200 pages in', list(`limit=10&cursor=${cursor}`)],
    ['one conversation', some.map((id) => `/conversations/${id}`)],
    ['messages of a conversation', some.map((id) => `/conversations/${id}/messages`)],
    ['messages of a conversation by q', some.map((id) => `/conversations/${id}/messages?q=talk`)],
    ['log of a conversation', some.map((id) => `/conversations/${id}/log`)],
  ];
}

async function timesOf(timer: RequestTimer, paths: string[], count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let index = -20; index < count; index++) {
    const latency = await timer.get(paths[(index + 20) % paths.length] ?? '');
    if (index >= 0) latencies.push(latency);
  }
  return latencies;
}

/** What the storage prepares when everything is read that can be. */
async function statementsOfReading(folder: string, ids: string[], from: Date): Promise<string[]> {
  const storage = openSqliteStorage(folder, 'the benchmark', new LocalLive());
  const id = ids[0] ?? '';
  const page = { limit: 50 };
  const filters = [
    {},
    { status: 'terminated' },
    { status: 'running' },
    { provider: 'claude' },
    { q: RARE_WORD },
    { q: 'zz' },
    { q: 'z' },
    { q: RARE_WORD, provider: 'claude' },
  ] as const;
  const statements = await gatherStatements(async () => {
    for (const filter of filters) {
      await storage.list(EVERY_TENANT, filter, page);
      await storage.list(EVERY_TENANT, filter, { ...page, cursor: 'k99' });
      await storage.list(EVERY_TENANT, { ...filter, createdAfter: from, createdBefore: new Date() }, page);
    }
    await storage.get(EVERY_TENANT, id);
    await storage.messages(id, {}, { limit: 50, afterSeq: 0 });
    await storage.messages(id, { sender: 'Ada', q: 'talk' }, { limit: 50, afterSeq: 0 });
    await storage.getContext(id, 10);
    await storage.isTerminated(id);
    await storage.readOn(id, 0, 100);
    await storage.unfinished();
  });
  storage.close();
  return statements;
}
