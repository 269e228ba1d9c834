import { join } from 'node:path';
import Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ContextMessage, type ConversationFilter, toContext } from '../../src/conversation/log/log.ts';
import { RecentMessages } from '../../src/storage/recent-messages.ts';
import { Beginnings } from '../../src/storage/sqlite/beginnings.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { Announced, conversation, ENDED_BY_USER, later, reply, settings } from '../fixtures/conversations.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked } from '../fixtures/storage.ts';

function open(folder = temporaryFolder()) {
  const storage = asked(openSqliteStorage(folder, 'a test', new Announced()));
  onTestFinished(() => storage.close());
  return { storage, folder };
}

/** Makes a database what it was before the fourth migration. */
const UNDO_ANY_EVENTS = `
  DROP INDEX conversations_by_tenant;
  ALTER TABLE conversations DROP COLUMN tenant;
  ALTER TABLE conversations DROP COLUMN details;
  ALTER TABLE conversations DROP COLUMN last_speaker;
  CREATE TABLE conversation_providers (
    provider TEXT NOT NULL, conversation INTEGER NOT NULL, PRIMARY KEY (provider, conversation)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO conversation_providers SELECT value, conversation FROM facets WHERE name = 'provider';
  DROP TABLE facets;
  DROP TABLE spending;
  DROP TABLE scenarios;
  DROP TABLE feed;
  DROP TABLE message_parts;
  DROP TABLE search_progress;
  DROP TABLE search_leftovers;
  DROP TABLE IF EXISTS message_terms_0;
  DROP TABLE key_spending`;

describe('queries', () => {
  const filters: ConversationFilter[] = [];
  for (const status of [undefined, 'running', 'queued', 'terminated'] as const) {
    for (const provider of [undefined, 'claude']) {
      for (const q of [undefined, 'b', 'be', 'bees']) {
        for (const createdAfter of [undefined, later(-1)]) {
          for (const createdBefore of [undefined, later(1)]) {
            filters.push({ status, provider, q, createdAfter, createdBefore });
          }
        }
      }
    }
  }

  it('neither read whole tables nor sort what they find', async () => {
    const statements = new Set<string>();
    const prepare = vi.spyOn(Database.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    const { storage, folder } = open();
    const made = conversation({
      settings: settings({ topic: 'Bees' }),
      idempotency: { key: 'k', bodyHash: 'h' },
    });
    await storage.create(made);
    await storage.addMessage(made.id, 2, [reply(3)]);
    for (const filter of filters) {
      const first = await storage.list(filter, { limit: 1 });
      await storage.list(filter, { limit: 1, cursor: 'k9' });
      expect(first.items.length).toBeLessThanOrEqual(1);
    }
    await storage.get(made.id);
    await storage.getContext(made.id, 5);
    await storage.getLastSender(made.id);
    await storage.isTerminated(made.id);
    await storage.readOn(made.id, 0, 10);
    await storage.messages(made.id, { sender: 'Ada', q: 'x' }, { limit: 5, afterSeq: 0 });
    await storage.unfinished();
    await storage.markStarted(made.id, later(0));
    await storage.markTerminated(made.id, ENDED_BY_USER);
    await storage.delete(made.id);
    for (const [sql] of prepare.mock.calls) if (/^\s*(SELECT|UPDATE|DELETE)/i.test(sql)) statements.add(sql);
    prepare.mockRestore();

    const database = new Database(join(folder, 'conversations.sqlite'), { readonly: true });
    onTestFinished(() => void database.close());
    database.function('fold', String);
    const costly = [...statements].flatMap((sql) => {
      const questions = sql.split('?').length - 1;
      const named = Object.fromEntries(
        Array.from(sql.matchAll(/[@:$]([a-z]\w*)/gi), ([, name]) => [name, 1]),
      );
      const plan = database
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...Array<number>(questions).fill(1), ...(Object.keys(named).length > 0 ? [named] : []));
      return plan.filter(({ detail }) => isCostly(detail, sql)).map(({ detail }) => ({ detail, sql }));
    });
    expect(costly).toEqual([]);
    expect(statements.size).toBeGreaterThan(40);
  });

  /**
   * A scan is one of an index, asks a full-text index for a match or for one row, goes through keys that are given,
   * walks conversations from the newest until the page is full, or is of what has one row, two pages or 10,000 rows at
   * most: the search's progress, what the feed joins, and its removals when there is one too many.
   */
  function isCostly(detail: string, sql: string): boolean {
    const joinsPages = /^SELECT \* FROM \([^)]*LIMIT :limit\)\s*UNION ALL/s.test(sql);
    if (detail.startsWith('USE TEMP B-TREE'))
      return !joinsPages && !sql.includes("status IN ('running', 'queued')");
    if (!detail.startsWith('SCAN')) return false;
    if (/ USING (COVERING )?INDEX | VIRTUAL TABLE INDEX \d+:.*[=M]|^SCAN json_each /.test(detail))
      return false;
    if (detail === 'SCAN CONSTANT ROW' || detail === 'SCAN search_progress') return false;
    if (joinsPages && detail.startsWith('SCAN (subquery')) return false;
    if (detail === 'SCAN feed' && sql.includes('ORDER BY key DESC LIMIT 1 OFFSET')) return false;
    return !(detail === 'SCAN c' && sql.includes('ORDER BY c.key DESC LIMIT'));
  }

  it('find topics that were written before topics were kept without case', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'conversations.sqlite');
    const made = conversation({ settings: settings({ topic: 'Τέλος of BEES' }) });
    const before = asked(openSqliteStorage(folder, 'a test', new Announced()));
    await before.create(made);
    before.close();
    const database = new Database(path);
    database.exec(
      `${UNDO_ANY_EVENTS}; DROP TABLE topic_pairs; UPDATE topics SET topic = 'Τέλος of BEES'; PRAGMA user_version = 1`,
    );
    database.close();
    const { storage } = open(folder);
    for (const q of ['e', 'σ ', 'ΤΈΛΟΣ', 'bees']) {
      expect((await storage.list({ q }, { limit: 5 })).items).toMatchObject([{ id: made.id }]);
    }
  });

  it('find one and two characters in topics that were written before there was an index of them', async () => {
    const folder = temporaryFolder();
    const before = asked(openSqliteStorage(folder, 'a test', new Announced()));
    const topics = Array.from({ length: 300 }, (_, index) => `${index} Bees 🐝`);
    const made = topics.map((topic) => conversation({ settings: settings({ topic }) }));
    for (const each of made) await before.create(each);
    before.close();
    const database = new Database(join(folder, 'conversations.sqlite'));
    database.exec(`${UNDO_ANY_EVENTS}; DROP TABLE topic_pairs; PRAGMA user_version = 2`);
    database.close();
    const { storage } = open(folder);
    const count = async (q: string): Promise<number> =>
      (await storage.list({ q }, { limit: 500 })).items.length;
    expect(await Promise.all(['B', 'S ', '🐝', '🐝🐝', '99', '9'].map(count))).toEqual([
      300, 300, 300, 0, 3, 57,
    ]);
    await storage.create(conversation({ settings: settings({ topic: 'More bees' }) }));
    await storage.delete(made[99]?.id ?? '');
    expect(await Promise.all(['B', '🐝', '99', '9'].map(count))).toEqual([300, 299, 2, 56]);
  });

  it('keep the order of creation when the clock is set back', async () => {
    const { storage } = open();
    for (const at of [5000, 1000, 6000]) {
      await storage.create(conversation({ createdAt: later(at), settings: settings({ topic: `at ${at}` }) }));
    }
    const { items } = await storage.list({}, { limit: 10 });
    expect(items.map((record) => record.createdAt)).toEqual(
      [6000, 1000, 5000].map((at) => later(at).toISOString()),
    );
    expect((await storage.list({ createdAfter: later(5500) }, { limit: 10 })).items).toHaveLength(1);
  });
});

describe('the settings that are remembered', () => {
  it('are those of each conversation, however many and large they are', async () => {
    const { storage } = open();
    const made = Array.from({ length: 6 }, (_, index) =>
      conversation({ settings: settings({ topic: `topic ${index}`, openingMessage: 'x'.repeat(400_000) }) }),
    );
    for (const each of made) await storage.create(each);
    const expected = made.map((each) => each.settings).reverse();
    for (let round = 0; round < 3; round++) {
      const { items } = await storage.list({}, { limit: 6 });
      expect(items.map((record) => record.settings)).toEqual(expected);
      expect((await storage.get(made[round]?.id ?? ''))?.settings).toEqual(made[round]?.settings);
    }
  });

  it('are forgotten with their conversation, and when they are too many', async () => {
    const { storage, folder } = open();
    const made = Array.from({ length: 4 }, () =>
      conversation({ settings: settings({ openingMessage: 'x'.repeat(300_000) }) }),
    );
    for (const each of made) await storage.create(each);
    const database = new Database(join(folder, 'conversations.sqlite'));
    onTestFinished(() => void database.close());
    const beginnings = new Beginnings(database);
    const rows = made.map(({ id }, index) => ({ id, key: index + 1 }));
    expect(beginnings.of(rows)).toHaveLength(4);
    // What is still found now is in memory only.
    database.exec('DELETE FROM events');
    const remembered = () =>
      rows.map((row) => {
        try {
          return beginnings.of([row]).length;
        } catch {
          return 0;
        }
      });
    expect(remembered()).toEqual([0, 1, 1, 1]);
    beginnings.drop(rows[2]?.id ?? '');
    expect(remembered()).toEqual([0, 1, 0, 1]);
  });
});

describe('the messages that are remembered', () => {
  it('are those of the log, whatever was read and written before', async () => {
    const { storage } = open();
    const made = [conversation(), conversation()];
    for (const each of made) await storage.create(each);
    const seqs = new Map(made.map(({ id }) => [id, 2]));
    const step = fc.record({ which: fc.nat({ max: 1 }), read: fc.option(fc.integer({ min: 1, max: 6 })) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
        const remembered: ContextMessage[][] = [];
        const written: ContextMessage[][] = [];
        for (const { which, read } of steps) {
          const id = made[which]?.id ?? '';
          const seq = seqs.get(id) ?? 0;
          if (read === null) {
            await storage.addMessage(id, seq, [reply(seq + 1)]);
            seqs.set(id, seq + 1);
          } else {
            const page = { limit: 200, afterSeq: Math.max(1, seq - read) };
            written.push((await storage.messages(id, {}, page)).items.map(toContext));
            remembered.push(await storage.getContext(id, read));
          }
        }
        expect(remembered).toEqual(written);
      }),
      { numRuns: 30 },
    );
  });

  it('are forgotten, the longest remembered first, when they are too many', () => {
    const recent = new RecentMessages();
    const content = 'x'.repeat(1024 * 1024);
    const message = (seq: number) => toContext({ ...reply(seq).message, content });
    for (let index = 0; index < 64; index++) recent.set(`c-${index}`, 1, [message(3)], 3);
    expect(recent.get('c-0', 1)).toHaveLength(1);
    for (let seq = 4; seq < 100; seq++) recent.follow('c-63', seq - 1, [message(seq)], seq);
    expect(recent.get('c-0', 1)).toHaveLength(1);
    recent.set('c-64', 1, [message(3)], 3);
    expect(recent.get('c-0', 1)).toBeUndefined();
    expect(recent.get('c-1', 1)).toHaveLength(1);
    expect(recent.get('c-63', 1)).toMatchObject([{ seq: 99 }]);
    recent.drop('c-2');
    recent.set('c-65', 1, [message(3)], 3);
    expect(recent.get('c-1', 1)).toHaveLength(1);
  });
});
