import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished, vi } from 'vitest';
import { EVERY_TENANT } from '../../src/conversation/log/log.ts';
import { parseQuery } from '../../src/conversation/search/query.ts';
import { DATABASE_FILE } from '../../src/storage/sqlite/database.ts';
import {
  openSqliteStorage,
  readSqliteStorage,
  type SqliteStorage,
} from '../../src/storage/sqlite/storage.ts';
import { Announced, conversation, settings } from '../fixtures/conversations.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked } from '../fixtures/storage.ts';
import { describeSearch } from './search.ts';

describeSearch('SQLite', async () => {
  const storage = openSqliteStorage(temporaryFolder(), 'a test', new Announced());
  onTestFinished(() => storage.close());
  return { storage: asked(storage), search: storage.search, settled: async () => {} };
});

/** A folder with two conversations, after their storage was closed. */
async function usedFolder(): Promise<string> {
  const folder = temporaryFolder();
  const storage = openSqliteStorage(folder, 'a test', new Announced());
  for (const openingMessage of ['green tea', 'black tea']) {
    await storage.create(conversation({ settings: settings({ openingMessage }) }));
  }
  storage.close();
  return folder;
}

async function found({ search }: SqliteStorage): Promise<string[]> {
  const { items, isIncomplete } = await search.search(
    EVERY_TENANT,
    { terms: parseQuery('tea') },
    { limit: 9 },
  );
  expect(isIncomplete).toBe(false);
  return items.map(({ snippet }) => snippet).sort();
}

/** The snippets of all pages, once the index isn't behind any more. */
async function allFound({ search }: SqliteStorage): Promise<Set<string>> {
  const ask = (limit: number, cursor?: string) =>
    search.search(EVERY_TENANT, { terms: parseQuery('tea') }, { limit, cursor });
  await vi.waitUntil(async () => !(await ask(1)).isIncomplete, 60_000);
  const snippets = new Set<string>();
  let cursor: string | undefined;
  do {
    const { items, nextCursor } = await ask(200, cursor);
    for (const { snippet } of items) snippets.add(snippet);
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined);
  return snippets;
}

it('who only reads a folder finds what is in it', async () => {
  const reading = readSqliteStorage(await usedFolder(), new Announced());
  onTestFinished(() => reading.close());
  expect(await found(reading)).toEqual(['black tea', 'green tea']);
});

it('an index that is missing is made anew', async () => {
  const folder = await usedFolder();
  const database = new Database(join(folder, DATABASE_FILE));
  database.exec('DROP TABLE message_terms_0; DELETE FROM message_parts; UPDATE search_progress SET done = 0');
  database.close();
  const storage = openSqliteStorage(folder, 'a test', new Announced());
  onTestFinished(() => storage.close());
  expect(await found(storage)).toEqual(['black tea', 'green tea']);
});

it('what is brought on beside something that can not be written is found', async () => {
  const storage = openSqliteStorage(temporaryFolder(), 'a test', new Announced());
  onTestFinished(() => storage.close());
  const made = (openingMessage: string) => conversation({ settings: settings({ openingMessage }) });
  const count = 300;
  // Enough for the index to be brought on in the next transaction, which then comes to nothing.
  await Promise.all(Array.from({ length: count }, (_, number) => storage.create(made(`tea ${number}`))));
  const broken = { ...made('broken tea'), tenant: null as never };
  await expect(storage.create(broken)).rejects.toThrow('NOT NULL');
  expect((await allFound(storage)).size).toBe(count);
});

it('more messages at once than are kept in memory are found', async () => {
  const storage = openSqliteStorage(temporaryFolder(), 'a test', new Announced());
  onTestFinished(() => storage.close());
  const count = 5000;
  await Promise.all(
    Array.from({ length: count }, (_, number) =>
      storage.create(conversation({ settings: settings({ openingMessage: `tea ${number}` }) })),
    ),
  );
  expect((await allFound(storage)).size).toBe(count);
});
