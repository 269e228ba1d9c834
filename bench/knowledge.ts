/**
 * Documents of a collection and searches in it, beside conversations: `npm run bench:knowledge -- 10000`. Prints how fast
 * documents are taken, how long searches take, alone and beside 100 conversations, and whether those keep their pace.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openIndexFile } from '../src/knowledge/index/open.ts';
import { PassageIndex } from '../src/knowledge/index/search.ts';
import { VectorTable } from '../src/knowledge/index/vectors.ts';
import { readDocument } from '../src/knowledge/reading/read.ts';
import { DEFAULT_TENANT } from '../src/protocol/events.ts';
import { formatOfKind, retrievalSet } from '../test/fixtures/retrieval/set.ts';
import { ask, createConversations, talk } from './harness/http.ts';
import { startServer } from './harness/processes.ts';
import { percentile } from './harness/statistics.ts';

const count = Number(process.argv[2] ?? 10_000);
const AT_ONCE = 4;
const CONVERSATIONS = 100;
const WINDOWS = 6;
const WINDOW_MS = 10_000;
/** Searches are asked one after the other, so many a second. */
const SEARCHES_PER_SECOND = 20;

const { documents, questions } = retrievalSet();
let state = 5;
const random = (): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  return state / 0x7fffffff;
};

/** Sentences of the retrieval set by language. */
const sentences = new Map<string, string[]>();
for (const { kind, text, language } of documents) {
  const read = await readDocument({ format: formatOfKind(kind), content: text });
  const own = read.text.split(/(?<=[.。!?])\s*/).filter((sentence) => sentence.length > 3);
  sentences.set(language, [...(sentences.get(language) ?? []), ...own]);
}

/** Of some 1,500 characters, 500 in Chinese. */
function textOf(index: number): string {
  const language = ['en', 'de', 'zh'][index % 3] ?? 'en';
  const pool = sentences.get(language) ?? [];
  const length = language === 'zh' ? 500 : 1500;
  let text = '';
  while (text.length < length) {
    text += `${pool[Math.floor(random() * pool.length)] ?? ''}${random() < 0.2 ? '\n\n' : ' '}`;
  }
  return text;
}

await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'aic-bench-knowledge-'));
cleanup.defer(() => rmSync(folder, { recursive: true }));
const server = await startServer(cleanup, folder);

const load = (): string => loadavg()[0]?.toFixed(1) ?? '';
const startedAt = performance.now();
let characters = 0;
let next = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < count) {
      const index = next++;
      const text = textOf(index);
      characters += text.length;
      await ask('POST', `${server.url}/knowledge/set/documents`, { title: `Document ${index}`, text });
    }
  }),
);
const seconds = (performance.now() - startedAt) / 1000;
const { items } = await ask<{ items: { passages: number }[] }>('GET', `${server.url}/knowledge`);
console.log(
  `${count} documents, ${items[0]?.passages} passages, ${characters} characters: ${Math.round(count / seconds)} documents/s ` +
    `over HTTP, ${AT_ONCE} at once; the file has ${Math.round(statSync(join(folder, 'knowledge.sqlite')).size / 1e6)} MB (load ${load()})`,
);

/** Searches for so long; gives what each took, in milliseconds. */
async function search(milliseconds: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    const { text } = questions[Math.floor(random() * questions.length)] ?? { text: '' };
    const askedAt = performance.now();
    await ask('GET', `${server.url}/knowledge/set/search?q=${encodeURIComponent(text)}`);
    const took = performance.now() - askedAt;
    times.push(took);
    await delay(Math.max(0, 1000 / SEARCHES_PER_SECOND - took));
  }
  return times;
}

function told(name: string, times: readonly number[]): void {
  const at = (share: number): string => percentile(times, share).toFixed(1);
  console.log(
    `${name}: ${times.length} searches, p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)} ms (load ${load()})`,
  );
}

/** A counter of the server, all of its labels together. */
async function counted(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))];
  return lines.reduce((sum, [, value]) => sum + Number(value), 0);
}

await search(2000);
const before = await counted('process_cpu_seconds_total');
const alone = await search(WINDOW_MS);
const spent = ((await counted('process_cpu_seconds_total')) - before) * 1000;
told('alone', alone);
console.log(`processor time of the server: ${(spent / alone.length).toFixed(1)} ms a search`);

await createConversations(server.url, CONVERSATIONS, talk(10_000));
await delay(3000);
const turns = (): Promise<number> => counted('ai_turns_total');
/** Turns a second, in windows without and with searches, in turns. */
const pace: { without: number[]; with: number[] } = { without: [], with: [] };
const beside: number[] = [];
for (let window = 0; window < WINDOWS; window++) {
  const which = window % 2 === 0 ? 'without' : 'with';
  const said = await turns();
  const began = performance.now();
  if (which === 'with') beside.push(...(await search(WINDOW_MS)));
  else await delay(WINDOW_MS);
  pace[which].push(((await turns()) - said) / ((performance.now() - began) / 1000));
}
told(`beside ${CONVERSATIONS} conversations`, beside);
const shown = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(', ');
console.log(`turns a second without searches: ${shown(pace.without)}; with them: ${shown(pace.with)}`);

await server.stop();
const database = openIndexFile(join(folder, 'knowledge.sqlite'), true);
const index = new PassageIndex(database, new VectorTable(database));
const spentBy = [...questions, ...questions].map(({ text }) => {
  const used = process.threadCpuUsage();
  index.search(DEFAULT_TENANT, 'set', text, 5);
  const { user, system } = process.threadCpuUsage(used);
  return (user + system) / 1000;
});
database.close();
// What is read from the file for the first time is not counted.
told('processor time of the thread that searches', spentBy.slice(questions.length));
