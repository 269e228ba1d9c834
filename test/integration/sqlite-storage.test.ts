import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { initialRecord } from '../../src/conversation/log/record.ts';
import { openDatabase } from '../../src/storage/sqlite/database.ts';
import { GroupCommit } from '../../src/storage/sqlite/group-commit.ts';
import type { WriteOperation } from '../../src/storage/sqlite/operations.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { pairsOf } from '../../src/storage/sqlite/topics.ts';
import { createWriter } from '../../src/storage/sqlite/writer.ts';
import {
  Announced,
  agent,
  conversation,
  ENDED_BY_USER,
  ended,
  readLog,
  reply,
  settings,
} from '../fixtures/conversations.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked, recordBehind } from '../fixtures/storage.ts';

function open(folder = temporaryFolder(), live = new Announced()) {
  const storage = asked(openSqliteStorage(folder, 'a test', live));
  onTestFinished(() => storage.close());
  return { storage, folder, live };
}

/** How many transactions the write-ahead log holds: https://sqlite.org/fileformat2.html#walformat */
function commits(folder: string): number {
  const log = readFileSync(join(folder, 'conversations.sqlite-wal'));
  const frame = 24 + log.readUInt32BE(8);
  const salt = log.readBigUInt64BE(16);
  let count = 0;
  for (let offset = 32; offset + frame <= log.length; offset += frame) {
    if (log.readBigUInt64BE(offset + 8) === salt && log.readUInt32BE(offset + 4) > 0) count++;
  }
  return count;
}

describe('group commit', () => {
  it('writes what comes in one moment in one transaction, and waits for nobody', async () => {
    const { storage, folder } = open();
    const made = Array.from({ length: 50 }, () => conversation());
    await Promise.all(made.map((each) => storage.create(each)));
    const before = commits(folder);
    await Promise.all(made.map(({ id }) => storage.addMessage(id, 2, [reply(3)])));
    expect(commits(folder)).toBe(before + 1);
    for (const { id } of made.slice(0, 3)) await storage.addMessage(id, 3, [reply(4)]);
    expect(commits(folder)).toBe(before + 4);
  });

  it('takes at most 1024 in one transaction, in their order', async () => {
    const groups: number[] = [];
    const seen: string[] = [];
    const group = new GroupCommit(
      (operations) => {
        groups.push(operations.length);
        return operations.map(() => ({ outcome: 'noted', entries: [] }));
      },
      (operation) => seen.push('id' in operation ? operation.id : ''),
    );
    const ids = Array.from({ length: 2500 }, (_, index) => String(index));
    await Promise.all(ids.map((id) => group.submit({ kind: 'remove', id })));
    expect(groups).toEqual([1024, 1024, 452]);
    expect(seen).toEqual(ids);
  });

  it('says that it is overloaded before it holds too much', async () => {
    const group = new GroupCommit(
      (operations) => operations.map(() => ({ outcome: 'noted', entries: [] })),
      () => {},
    );
    const all = Array.from({ length: 50_001 }, () => group.submit({ kind: 'check' }));
    await expect(all.at(-1)).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 5 });
    expect((await Promise.allSettled(all)).filter(({ status }) => status === 'fulfilled')).toHaveLength(
      50_000,
    );
    await expect(group.submit({ kind: 'check' })).resolves.toMatchObject({ outcome: 'noted' });
  });

  it('says that it is overloaded while the disk is full, and goes on when there is room', async () => {
    const database = openDatabase(join(temporaryFolder(), 'full.sqlite'));
    onTestFinished(() => void database.close());
    const announced: string[] = [];
    const group = new GroupCommit(createWriter(database), (operation) => announced.push(operation.kind));
    const creation = (id: string, size: number): WriteOperation => ({
      kind: 'create',
      id,
      tenant: 'default',
      createdAt: 0,
      startedAt: 0,
      settings: settings({ topic: id }),
      messages: [],
      record: initialRecord(settings()),
      entries: [{ seq: 1, type: 'conversation.created', json: 'x'.repeat(size) }],
      idempotency: null,
    });
    await group.submit(creation('first', 10));
    const pages = database.pragma('page_count', { simple: true }) as number;
    database.pragma(`max_page_count = ${pages + 4}`);
    const refused = [group.submit(creation('large', 100_000)), group.submit(creation('small', 10))];
    for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'overloaded' });
    expect(announced).toEqual(['create']);
    expect(database.prepare('SELECT id FROM conversations').pluck().all()).toEqual(['first']);
    database.pragma(`max_page_count = ${pages + 1000}`);
    await expect(group.submit(creation('large', 100_000))).resolves.toMatchObject({ outcome: 'created' });
    await expect(group.submit({ kind: 'check' })).resolves.toMatchObject({ outcome: 'noted' });
    expect(announced).toEqual(['create', 'create', 'check']);
  });

  it('does not let one that cannot be written take the others with it', async () => {
    const { storage, live } = open();
    const made = conversation();
    await storage.create(made);
    const other = conversation();
    const poison = reply(4, { metadata: { inputTokens: 1.5 } });
    const outcomes = await Promise.allSettled([
      storage.backend.append(made.id, 2, [reply(3)], recordBehind(made, reply(3))),
      storage.backend.append(made.id, 3, [poison], recordBehind(made, reply(3), poison)),
      storage.backend.create({ ...made }),
      storage.create(other),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    expect(live.seqs(made.id)).toEqual([1, 2, 3]);
    expect(await storage.get(made.id)).toMatchObject({ lastSeq: 3, turns: 1 });
    expect(await storage.get(other.id)).toMatchObject({ lastSeq: 2 });
  });

  it('is flushed when the storage is closed, and all of it is there afterwards', async () => {
    const { storage, folder } = open();
    const made = conversation({ idempotency: { key: 'k', bodyHash: 'h' } });
    const { backend } = storage;
    const writes = [
      backend.create(made),
      backend.append(made.id, 2, [reply(3)], recordBehind(made, reply(3))),
      backend.append(made.id, 3, [reply(4), ended(5)], recordBehind(made, reply(3), reply(4), ended(5))),
    ];
    storage.close();
    expect(await Promise.all(writes)).toEqual([{ outcome: 'created' }, 'appended', 'appended']);
    const again = open(folder).storage;
    expect((await readLog(again, made.id)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(await again.get(made.id)).toMatchObject({ status: 'terminated', turns: 2, agentTurns: [1, 1] });
    expect(await again.create(conversation({ idempotency: { key: 'k', bodyHash: 'h' } }))).toEqual({
      outcome: 'replayed',
      id: made.id,
    });
  });
});

describe('removing', () => {
  const SECRET = 'Zyxwvut';

  async function fill(storage: ReturnType<typeof open>['storage']): Promise<string> {
    const made = conversation({
      settings: settings({
        topic: `${SECRET} topic ${'t'.repeat(500)}`,
        agents: [
          agent(`${SECRET} A`, { instructions: `${SECRET} ${'i'.repeat(10_000)}` }),
          agent(`${SECRET} B`),
        ],
        metadata: { note: SECRET },
      }),
      idempotency: { key: `${SECRET}-key`, bodyHash: `${SECRET}-hash` },
    });
    await storage.create(made);
    for (let seq = 3; seq <= 40; seq++) {
      const content = `${SECRET} ${'lorem ipsum '.repeat(seq * 20)}`;
      await storage.addMessage(made.id, seq - 1, [reply(seq, { sender: `${SECRET} A`, content })]);
    }
    await storage.markTerminated(made.id, { ...ENDED_BY_USER, detail: SECRET });
    return made.id;
  }

  const traces = (folder: string, wanted: string): string[] =>
    readdirSync(folder).filter((file) => {
      const bytes = readFileSync(join(folder, file)).toString('latin1').toLowerCase();
      return bytes.includes(wanted.toLowerCase()) || bytes.includes(wanted.slice(0, 3).toLowerCase());
    });

  it('leaves no trace in the files, and those of others are whole', async () => {
    const { storage, folder } = open();
    const kept = conversation({ settings: settings({ topic: 'Bees' }) });
    await storage.create(kept);
    const id = await fill(storage);
    await storage.addMessage(kept.id, 2, [reply(3)]);
    expect(traces(folder, SECRET)).not.toEqual([]);
    expect(traces(folder, id)).not.toEqual([]);
    await storage.delete(id);
    expect(traces(folder, SECRET)).toEqual([]);
    const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1'));
    // That it was removed stays, for whoever reads the feed.
    expect(files.join('').split(id)).toHaveLength(2);
    expect(await readLog(storage, kept.id)).toHaveLength(3);
    storage.close();
    expect(traces(folder, SECRET)).toEqual([]);
  });

  it('leaves nothing in the indexes of topics, and what others have there', async () => {
    const { storage, folder } = open();
    const topics = Array.from({ length: 60 }, (_, index) => `Topic ${index} ${'🧿🪬'.repeat(index % 3)} end`);
    const made = topics.map((topic) => conversation({ settings: settings({ topic }) }));
    for (const each of made) await storage.create(each);
    const pair = pairsOf('🧿🪬').split(' ')[0] ?? '';
    expect(traces(folder, pair)).not.toEqual([]);
    for (const [index, { id }] of made.entries()) if (index % 3 > 0) await storage.delete(id);
    storage.close();

    expect(traces(folder, pair)).toEqual([]);
    const database = new Database(join(folder, 'conversations.sqlite'));
    onTestFinished(() => void database.close());
    const words = (table: string, column: string): unknown[] => {
      database.exec(`CREATE VIRTUAL TABLE temp.words USING fts5vocab (main, ${table}, row)`);
      const found = database.prepare(`SELECT ${column} FROM words ORDER BY term`).pluck().all();
      database.exec('DROP TABLE words');
      return found;
    };
    const left = topics.filter((_, index) => index % 3 === 0).map((topic) => topic.toLowerCase());
    const pairs = new Set(left.flatMap((topic) => pairsOf(topic).split(' ')));
    const trigrams = new Set(
      left.flatMap((topic) => [...topic].map((_, at) => topic.slice(at, at + 3)).slice(0, -2)),
    );
    expect(words('topic_pairs', 'term')).toEqual([...pairs].sort());
    expect(words('topics', 'term')).toEqual([...trigrams].sort());
    database.exec(`INSERT INTO topic_pairs (topic_pairs) VALUES ('integrity-check')`);
  });

  it('waits for no reader of another process, and leaves no trace once it is gone', async () => {
    const { storage, folder } = open();
    const id = await fill(storage);
    const reader = new Database(join(folder, 'conversations.sqlite'), { readonly: true });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM events').get();
    const before = performance.now();
    expect(await storage.delete(id)).toBe(true);
    // So long SQLite itself waits for others.
    expect(performance.now() - before).toBeLessThan(5000);
    reader.close();
    const other = conversation();
    await storage.create(other);
    await storage.delete(other.id);
    expect(traces(folder, SECRET)).toEqual([]);
  });

  it('is told of and believed though the files could not be tidied at once', async () => {
    const { storage, folder, live } = open();
    const id = await fill(storage);
    const pragma = vi.spyOn(Database.prototype, 'pragma').mockImplementation(() => {
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
    });
    onTestFinished(() => pragma.mockRestore());
    expect(await storage.delete(id)).toBe(true);
    pragma.mockRestore();
    expect(live.removals).toEqual([id]);
    expect(await storage.get(id)).toBeUndefined();
    storage.close();
    expect(traces(folder, SECRET)).toEqual([]);
  });
});
