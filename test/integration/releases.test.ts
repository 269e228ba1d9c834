import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import type { ConversationCatalog, ConversationLog } from '../../src/conversation/log/log.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { LocalLive } from '../../src/live/local.ts';
import { DIRECT_LANE } from '../../src/protection/direct.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { PLATFORM_PREFIX } from '../../src/storage/redis/keys.ts';
import { openRedisStorage } from '../../src/storage/redis/storage.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { conversation, readLog } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { ScriptedProvider } from '../fixtures/providers.ts';
import { startRedis } from '../fixtures/redis.ts';
import { temporaryFolder } from '../fixtures/server.ts';

type Storage = ConversationLog & ConversationCatalog;

/** What a release left behind that was killed in the middle: two that had ended, one that ran, one that waited. */
const RELEASES = new URL('../fixtures/releases/', import.meta.url).pathname;
/** A moment after the kill. */
const NOW = new Date('2026-11-29T06:30:00.000Z');

async function openSqlite(live: LocalLive): Promise<Storage> {
  const folder = temporaryFolder();
  const file = gunzipSync(readFileSync(join(RELEASES, '0.1.0.sqlite.gz')));
  writeFileSync(join(folder, 'conversations.sqlite'), file);
  const storage = openSqliteStorage(folder, 'a test', live);
  onTestFinished(() => storage.close());
  return storage;
}

/**
 * An image of Redis whose idempotency key has not expired: as Redis reads it, its time is over by its own clock. In front of
 * a key's name stand 0xFC, the time in eight bytes, the kind of value, and the name's length in two
 * (https://rdb.fnordig.de/file_format.html).
 */
function withLastingKey(image: Buffer): Buffer {
  const name = image.indexOf('aic:idempotency:');
  expect(image[name - 12]).toBe(0xfc);
  image.writeBigUInt64LE(BigInt(Date.now()) + 86_400_000n, name - 11);
  return image;
}

async function openRedis(live: LocalLive): Promise<Storage> {
  const dir = temporaryFolder();
  writeFileSync(join(dir, 'dump.rdb'), withLastingKey(readFileSync(join(RELEASES, '0.1.0.rdb'))));
  const server = await startRedis({ dir, appendonly: 'no', rdbchecksum: 'no' });
  onTestFinished(() => server.stop());
  const client = connect(server.url, () => {});
  const storage = openRedisStorage({ client, prefix: PLATFORM_PREFIX, origin: 'a test', live });
  onTestFinished(() => storage.close());
  return storage;
}

it.each([
  ['a file', openSqlite],
  ['a Redis', openRedis],
])('3.5: %s of release 0.1.0 is read as it is, and its conversations go on', async (_, open) => {
  const live = new LocalLive();
  const storage = await open(live);
  const { items } = await storage.list('default', {}, { limit: 10 });
  expect(items.map(({ settings, status, tenant }) => [settings.topic, status, tenant])).toEqual([
    ['A talk that was waiting', 'queued', 'default'],
    ['A talk that was running', 'running', 'default'],
    ['A talk that somebody ended', 'terminated', 'default'],
    ['A talk that had ended', 'terminated', 'default'],
  ]);
  const [waiting, running, ended, done] = items;
  expect(ended?.ending).toEqual({ reason: 'user', detail: 'enough', by: 'user' });
  expect(done).toMatchObject({ turns: 4, agentTurns: [2, 2], ending: { reason: 'max_turns' }, pause: null });
  expect((await storage.list('default', { labels: { run: '1' } }, { limit: 5 })).items).toHaveLength(
    // Redis has no index of what a release before labels wrote.
    open === openSqlite ? 1 : 0,
  );
  expect((await storage.list('default', { provider: 'embedded' }, { limit: 5 })).items).toHaveLength(4);
  expect(await storage.unfinished()).toEqual([running?.id, waiting?.id]);
  // The POST that made it, said again.
  const again = conversation({ createdAt: NOW, idempotency: { key: 'done', bodyHash: 'another' } });
  expect(await storage.create(again)).toEqual({ outcome: 'idempotency_mismatch' });

  let count = 0;
  const provider = new ScriptedProvider(() => `Reply ${count} ${'x'.repeat(count++)}`);
  const parts = orchestratorParts({
    log: storage,
    live,
    bindModel: () => ({ provider, lane: DIRECT_LANE, price: undefined }),
    now: () => NOW,
  });
  for (const before of [running, waiting]) {
    if (!before) throw new Error('it is not there');
    const log = await readLog(storage, before.id);
    await runConversation(parts, before.id, new Drain());
    const after = await storage.get('default', before.id);
    const { maxTurns, agents } = before.settings;
    expect(after).toMatchObject({ status: 'terminated', turns: maxTurns, ending: { reason: 'max_turns' } });
    expect(after?.agentTurns).toEqual(
      agents.map((_, index) => Math.floor((maxTurns - 1 - index) / agents.length) + 1),
    );
    const whole = await readLog(storage, before.id);
    expect(whole.slice(0, log.length)).toEqual(log);
    expect(whole).toHaveLength(maxTurns + 3);
  }
  expect(await storage.unfinished()).toEqual([]);
});
