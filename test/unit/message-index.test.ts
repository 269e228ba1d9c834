import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Message } from '../../src/conversation/log/events.ts';
import { EVERY_TENANT, type TenantScope } from '../../src/conversation/log/log.ts';
import { matchesIn, parseQuery } from '../../src/conversation/search/query.ts';
import { MessageIndex } from '../../src/storage/search/message-index.ts';
import { RankedSearch } from '../../src/storage/search/ranked-search.ts';
import { seededRandom } from '../fixtures/random.ts';

const SCHEMA = ['007-search.sql', '009-larger-parts.sql'].map((name) =>
  readFileSync(new URL(`../../src/storage/sqlite/migrations/${name}`, import.meta.url), 'utf8'),
);

interface Said {
  tenant: string;
  content: string;
}

/** An index of parts of so many keys, and what is in it by its keys. */
function indexOf(partKeys: number) {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  for (const sql of SCHEMA) database.exec(sql);
  const index = new MessageIndex(database, partKeys);
  const said = new Map<number, Said>();
  let newest = 0;
  const ranked = new RankedSearch(index, {
    newestKey: () => newest,
    tenants: () => ['default', 'other'],
    filter: (keys) => new Set(keys.filter((key) => key % 3 === 0)),
    read: async (keys) =>
      new Map(
        keys.flatMap((key) => {
          const { tenant, content } = said.get(key) ?? {};
          if (tenant === undefined || content === undefined) return [];
          const message = { seq: key, turn: 1, sender: 'Ada', content, timestamp: '' } as Message;
          return [[key, { key, tenant, conversationId: 'c', topic: 't', message }]];
        }),
      ),
  });
  return {
    database,
    add: (messages: readonly Said[]): void => {
      const added = messages.map((message) => {
        said.set(++newest, message);
        return { key: newest, at: newest, sender: 'Ada', ...message };
      });
      database.transaction(() => index.add(added))();
    },
    remove: (keys: readonly number[]): void => {
      for (const key of keys) said.delete(key);
      database.transaction(() => index.remove(keys, true))();
      while (database.transaction(() => index.tidy())());
    },
    scanned: (tenant: TenantScope, q: string): number[] =>
      [...said]
        .filter(([, each]) => tenant === EVERY_TENANT || each.tenant === tenant)
        .flatMap(([key, { content }]) => (matchesIn(content, parseQuery(q)) ? [key] : [])),
    /** Of all pages. */
    found: async (tenant: TenantScope, q: string, labels?: Record<string, string>): Promise<number[]> => {
      const keys: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await ranked.search(tenant, { terms: parseQuery(q), labels }, { limit: 200, cursor });
        keys.push(...page.items.map(({ seq }) => seq));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return keys;
    },
  };
}

const ascending = (keys: readonly number[]): number[] => [...keys].sort((left, right) => left - right);

describe('the index of messages', () => {
  it('finds what a scan finds, in parts with and without pairs of common words, also after deletions', async () => {
    const { add, remove, found, scanned, database } = indexOf(256);
    const random = seededRandom(20261130);
    const common = ['the', 'of', 'and', 'to', 'a', '東京', 'é'];
    const word = (): string =>
      random() < 0.8
        ? (common[Math.floor(random() * common.length)] ?? '')
        : `rare${Math.floor(random() * 400)}`;
    const text = (): string =>
      Array.from({ length: 1 + Math.floor(random() * 12) }, word).join(random() < 0.5 ? ' ' : ', ');
    const queries = [
      '"the of"',
      '"of the"',
      '"the of and"',
      '"to the" "a a"',
      '"東京 to"',
      '"e the"',
      '"the rare7"',
      '"the of" rare8',
      'th*',
      'rare1*',
      '"the" of',
      'a',
      'rare7',
      'the rare9',
    ];
    for (let round = 0; round < 10; round++) {
      add(
        Array.from({ length: 150 }, () => ({
          tenant: random() < 0.5 ? 'default' : 'other',
          content: text(),
        })),
      );
      if (round % 4 === 3) remove(Array.from({ length: 40 }, () => 1 + Math.floor(random() * round * 150)));
      for (const q of queries) {
        for (const tenant of ['default', EVERY_TENANT] as const)
          expect([round, q, ascending(await found(tenant, q))]).toEqual([round, q, scanned(tenant, q)]);
      }
    }
    const sets = database
      .prepare<[], string>('SELECT common FROM message_parts ORDER BY part')
      .pluck()
      .all()
      .map((json) => (JSON.parse(json) as string[]).filter((each) => !each.startsWith('rare')).sort());
    expect(sets[0]).toEqual([]);
    expect(sets.at(-1)).toEqual(['a', 'and', 'e', 'of', 'the', 'to', '京', '東京']);
  });

  it('gives more than it ranks, with and without a filter, each once', async () => {
    const { add, found } = indexOf(20_000);
    for (let at = 0; at < 12_000; at += 1000)
      add(
        Array.from({ length: 1000 }, (_, index) => ({
          tenant: index % 2 ? 'default' : 'other',
          content: 'tea',
        })),
      );
    const all = Array.from({ length: 12_000 }, (_, index) => index + 1);
    expect(ascending(await found(EVERY_TENANT, 'tea'))).toEqual(all);
    expect(ascending(await found('default', 'tea'))).toEqual(all.filter((key) => key % 2 === 0));
    const labelled = await found(EVERY_TENANT, 'tea', { kind: 'green' });
    expect(ascending(labelled)).toEqual(all.filter((key) => key % 3 === 0));
  });

  it('drops the tables that it had before', () => {
    const { database, remove } = indexOf(256);
    database.exec(`CREATE VIRTUAL TABLE message_words_7 USING fts5 (words);
      INSERT INTO search_leftovers (name) VALUES ('message_words_7'), ('message_words_8')`);
    remove([]);
    const left = database.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'message_words*'`).all();
    expect([left, database.prepare('SELECT name FROM search_leftovers').all()]).toEqual([[], []]);
  });
});
