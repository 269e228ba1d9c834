import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ConversationFeed, FeedEntry } from '../../src/conversation/log/feed.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { openRedisStorage } from '../../src/storage/redis/storage.ts';
import { REMOVALS_KEPT } from '../../src/storage/sqlite/feed.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { Announced, conversation, readLog, reply } from '../fixtures/conversations.ts';
import { startCluster, startRedis } from '../fixtures/redis.ts';
import { openInstance } from '../fixtures/redis-storage.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked } from '../fixtures/storage.ts';

const APPENDING = fileURLToPath(import.meta.resolve('../fixtures/appending.ts'));

async function readAll(feed: ConversationFeed, after: string) {
  const entries: FeedEntry[] = [];
  for (let cursor = after; ; ) {
    const page = await feed.read(cursor, 100);
    expect(page.behind).toBe(false);
    if (page.entries.length === 0) return { entries, cursor };
    entries.push(...page.entries);
    cursor = page.cursor;
  }
}

function openSqlite(folder: string) {
  const storage = asked(openSqliteStorage(folder, 'a test', new Announced()));
  let isOpen = true;
  const close = (): void => {
    if (isOpen) storage.close();
    isOpen = false;
  };
  onTestFinished(close);
  return { storage, close };
}

describe('the feed of SQLite', () => {
  it('3.2: tells everything once and in order, whenever its process is killed', async () => {
    const folder = temporaryFolder();
    let { storage, close } = openSqlite(folder);
    let cursor = await storage.feed.end();
    const told = new Map<string, number>();
    for (let kill = 0; kill < 4; kill++) {
      close();
      const writer = spawn(process.execPath, [APPENDING, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let acknowledged = 0;
      writer.stdout.on('data', (chunk: Buffer) => {
        acknowledged += chunk.length;
        if (acknowledged > 200 + kill * 37) writer.kill('SIGKILL');
      });
      await once(writer, 'close');
      ({ storage, close } = openSqlite(folder));
      const read = await readAll(storage.feed, cursor);
      cursor = read.cursor;
      for (const { id, from, seq } of read.entries.filter((entry) => entry.kind === 'grown')) {
        expect(from).toBe((told.get(id) ?? 0) + 1);
        told.set(id, seq);
      }
    }
    expect(told.size).toBeGreaterThan(4);
    for (const [id, seq] of told) expect((await readLog(storage, id)).length).toBe(seq);
  });

  it('says to whoever read a history that a backup took back that it is behind', async () => {
    const folder = temporaryFolder();
    const first = openSqlite(folder);
    const kept = conversation();
    await first.storage.create(kept);
    const early = await first.storage.feed.end();
    first.close();
    const file = join(folder, 'conversations.sqlite');
    copyFileSync(file, join(folder, 'backup'));

    const second = openSqlite(folder);
    await second.storage.addMessage(kept.id, 2, [reply(3)]);
    const late = await second.storage.feed.end();
    second.close();
    copyFileSync(join(folder, 'backup'), file);

    const third = openSqlite(folder);
    expect(await third.storage.feed.read(late, 10)).toEqual({ entries: [], cursor: early, behind: true });
    // Also when another history has as many events.
    await third.storage.create(conversation({ createdAt: new Date() }));
    expect(await third.storage.feed.read(late, 10)).toMatchObject({ entries: [], behind: true });
    expect((await readAll(third.storage.feed, early)).entries).toHaveLength(1);
  });

  it('forgets the oldest removals, and says so to whoever has not read them', async () => {
    const folder = temporaryFolder();
    const first = openSqlite(folder);
    const made = [conversation(), conversation()];
    for (const each of made) await first.storage.create(each);
    const before = await first.storage.feed.end();
    await first.storage.delete(made[0]?.id ?? '');
    const behindOne = await first.storage.feed.end();
    first.close();
    const database = new Database(join(folder, 'conversations.sqlite'));
    const insert = database.prepare(`INSERT INTO feed (kind, tenant, id) VALUES ('removed', 'default', ?)`);
    database.transaction(() => {
      for (let count = 2; count < REMOVALS_KEPT; count++) insert.run(`gone ${count}`);
    })();
    database.close();

    const { storage } = openSqlite(folder);
    expect((await readAll(storage.feed, before)).entries).toHaveLength(REMOVALS_KEPT - 1);
    await storage.delete(made[1]?.id ?? '');
    expect(await storage.feed.read(before, 10)).toMatchObject({ behind: false });
    await storage.create(conversation({ id: made[1]?.id ?? '' }));
    await storage.delete(made[1]?.id ?? '');
    expect(await storage.feed.read(before, 10)).toMatchObject({ entries: [], behind: true });
    expect((await readAll(storage.feed, behindOne)).entries.length).toBe(REMOVALS_KEPT);
  });
});

describe('the feed of Redis', () => {
  it('keeps its newest entries, and says to whoever has not read the others that it is behind', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const storage = asked(
      openRedisStorage({
        client: connect(server.url, () => {}),
        prefix: 'aic',
        origin: 'a test',
        live: new Announced(),
        feed: { length: 200, overdueMs: 1000 },
      }),
    );
    onTestFinished(() => storage.close());
    const start = await storage.feed.end();
    const made = conversation();
    await storage.create(made);
    const { cursor: early } = await storage.feed.read(start, 1);
    for (let seq = 3; seq <= 1000; seq++) await storage.addMessage(made.id, seq - 1, [reply(seq)]);
    const end = await storage.feed.end();
    for (const cursor of [start, early]) {
      expect(await storage.feed.read(cursor, 10)).toEqual({ entries: [], cursor: end, behind: true });
    }
    expect(await storage.feed.read(end, 10)).toEqual({ entries: [], cursor: end, behind: false });
  });

  it('says to whoever read what Redis has lost since that it is behind', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const { storage } = openInstance(server.url);
    const made = conversation();
    await storage.create(made);
    const written = server.written();
    await storage.addMessage(made.id, 2, [reply(3)]);
    const late = await storage.feed.end();
    await server.kill(written);
    await server.restart();
    await expect
      .poll(() => storage.feed.read(late, 10).catch(() => 'not yet'))
      .toMatchObject({ behind: true });
  });

  it('on a cluster, what a dead instance did not tell any other tells', async () => {
    const server = await startCluster();
    onTestFinished(() => server.stop());
    const client = connect(server.url, () => {}) as Cluster;
    const live = new Announced();
    const dying = openRedisStorage({ client, prefix: 'aic', origin: 'dying', live });
    const survivor = asked(
      openRedisStorage({
        client: connect(server.url, () => {}),
        prefix: 'aic',
        origin: 'surviving',
        live,
        feed: { length: 100, overdueMs: 500 },
      }),
    );
    onTestFinished(() => survivor.close());
    const start = await survivor.feed.end();
    const made = [conversation(), conversation({ tenant: 'acme' })];
    for (const each of made) await dying.create(each);
    await expect.poll(async () => (await readAll(survivor.feed, start)).entries.length).toBe(2);
    const { cursor } = await readAll(survivor.feed, start);

    // It ends in the moment before it tells: nothing that it sends to the feed comes any more.
    const send = client.sendCommand.bind(client);
    vi.spyOn(client, 'sendCommand').mockImplementation((command, ...more) => {
      if (!String(command.args).includes('{aic:feed}:entries')) return send(command, ...more);
      command.reject(new Error('its process is gone'));
      return command.promise;
    });
    const [grown, removed] = made as [(typeof made)[0], (typeof made)[0]];
    expect(await asked(dying).addMessage(grown.id, 2, [reply(3)])).toBe('appended');
    expect(await asked(dying).delete(removed.id)).toBe(true);
    await dying.close();
    expect((await survivor.feed.read(cursor, 10)).entries).toEqual([]);

    await expect.poll(async () => (await readAll(survivor.feed, cursor)).entries).toHaveLength(2);
    const { entries } = await readAll(survivor.feed, cursor);
    expect(entries).toEqual(
      expect.arrayContaining([
        { kind: 'grown', tenant: 'default', id: grown.id, from: 3, seq: 3 },
        { kind: 'removed', tenant: 'acme', id: removed.id },
      ]),
    );
  });
});
