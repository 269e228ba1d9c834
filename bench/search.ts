/**
 * Searches through many messages: `npm run bench:search -- 100000` (conversations of 20 messages; by default 10,000).
 * With a folder behind the number, what is made there is kept and found again the next time. Prints what the file has
 * grown by, and how long searches take, each for other words than the one before it.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { v7 } from 'uuid';
import { recordOf } from '../src/conversation/log/creation.ts';
import { openingEvents, replyEvent } from '../src/conversation/log/events.ts';
import type { ConversationSettings } from '../src/conversation/log/settings.ts';
import { parseQuery } from '../src/conversation/search/query.ts';
import { DEFAULT_TENANT } from '../src/protocol/events.ts';
import { DATABASE_FILE } from '../src/storage/sqlite/database.ts';
import { openSqliteStorage } from '../src/storage/sqlite/storage.ts';
import { percentile } from './harness/statistics.ts';

const conversations = Number(process.argv[2] ?? 10_000);
const MESSAGES = 20;
const AT_ONCE = 50;
const SEARCHES = 200;
const VOCABULARY = 50_000;

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  return state / 0x7fffffff;
};
const SYLLABLES = [
  'ta',
  'ko',
  'mi',
  'ren',
  'sol',
  'pa',
  'ver',
  'in',
  'dor',
  'el',
  'qua',
  'st',
  'ble',
  'ing',
  'o',
  'ha',
];
const words = Array.from({ length: VOCABULARY }, (_, index) => {
  let word = '';
  for (let rest = index + 16; rest > 0; rest = Math.floor(rest / 16)) word += SYLLABLES[rest % 16] ?? '';
  return word;
});
/** Few words are said often, and most hardly ever: the nth about 1/n as often as the first. */
const word = (): string => words[Math.floor(VOCABULARY ** random()) - 1] ?? '';
const text = (): string => Array.from({ length: 20 + Math.floor(random() * 60) }, word).join(' ');

const agents = ['Ada', 'Ben'].map((name) => ({
  name,
  provider: 'embedded',
  model: 'eliza',
  temperature: 0.7,
  maxOutputTokens: 1024,
}));
const termination = { phrases: [], minTurns: 2, similarity: { threshold: 1, consecutive: 10 } };
const settings: ConversationSettings = {
  topic: 'a talk',
  agents,
  openingMessage: 'a talk',
  maxTurns: 20,
  timeoutSeconds: 1800,
  contextMessages: 10,
  termination,
  metadata: {},
};
const kept = process.argv[3];
const folder = kept ?? mkdtempSync(join(tmpdir(), 'aic-search-'));
if (kept === undefined) process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
mkdirSync(folder, { recursive: true });
const isMade = existsSync(join(folder, DATABASE_FILE));
const storage = openSqliteStorage(folder, 'a measurement', { appended() {}, removed() {} });

async function make(): Promise<void> {
  const now = new Date();
  const replies = Array.from({ length: MESSAGES }, (_, index) => {
    return replyEvent(index + 3, now, {
      turn: index + 1,
      sender: index % 2 === 0 ? 'Ada' : 'Ben',
      content: text(),
      metadata: {},
    });
  });
  const events = [...openingEvents(settings, now), ...replies];
  const record = recordOf(settings, events);
  await storage.create({
    id: v7(),
    tenant: DEFAULT_TENANT,
    settings,
    createdAt: now,
    startedAt: null,
    events,
    record,
    idempotency: null,
  });
}

const startedAt = performance.now();
for (let made = isMade ? conversations : 0; made < conversations; made += AT_ONCE)
  await Promise.all(Array.from({ length: AT_ONCE }, make));
const query = (q: string) => storage.search.search(DEFAULT_TENANT, { terms: parseQuery(q) }, { limit: 50 });
while ((await query('none')).isIncomplete) await new Promise((resolve) => setTimeout(resolve, 500));
await storage.search.tidied();
console.log(
  `${conversations} × ${MESSAGES} messages, ${isMade ? 'opened' : 'made'} and indexed in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`,
);

const some = (from: number, to: number): string => words[from + Math.floor(random() * (to - from))] ?? '';
const KINDS: Record<string, () => string> = {
  'a rare word': () => some(20_000, 50_000),
  'a common word': () => some(0, 20),
  'two words': () => `${some(0, 100)} ${some(100, 5000)}`,
  'a phrase of common words': () => `"${some(0, 20)} ${some(0, 20)}"`,
  'a phrase as it is said': () => `"${word()} ${word()}"`,
  'a beginning': () => `${some(1000, 5000).slice(0, 5)}*`,
};
for (const [kind, q] of Object.entries(KINDS)) {
  const times: number[] = [];
  const processor: number[] = [];
  for (let index = 0; index < SEARCHES; index++) {
    const used = process.cpuUsage();
    const begun = performance.now();
    await query(q());
    times.push(performance.now() - begun);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1000);
  }
  const of = (values: readonly number[]): string =>
    [0.5, 0.99].map((share) => percentile(values, share).toFixed(1)).join(' and ');
  console.log(`${kind}: median and p99 ${of(times)} ms, of processor time ${of(processor)} ms`);
}
console.log(
  `load ${loadavg()
    .map((each) => each.toFixed(1))
    .join(' ')}`,
);
storage.close();

const file = new Database(join(folder, DATABASE_FILE), { readonly: true });
const tables = file
  .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE name GLOB 'message_terms_*_data'`)
  .pluck()
  .all();
const bytes = tables.map(
  (name) => file.prepare<[], number>(`SELECT sum(length(block)) FROM ${name}`).pluck().get() ?? 0,
);
const characters = file
  .prepare<[], number>(`SELECT sum(length(json ->> '$.message.content')) FROM events WHERE type = 'message'`)
  .pluck()
  .get() as number;
console.log(
  `the index has ${(bytes.reduce((sum, each) => sum + each, 0) / characters).toFixed(2)} of the messages' ${(characters / 1e6).toFixed(0)} MB`,
);
file.close();
