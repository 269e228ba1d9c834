import { IDEMPOTENCY_WINDOW_MS, type LogEntry } from '../../conversation/log/log.ts';
import { fieldsOf } from '../../conversation/log/shared-queue.ts';
import type { ConversationArchive, KeptConversation, KeptKey, Listed } from '../archive.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import { RedisFeed } from './feed.ts';
import { entryOf, idOf, indexesOf, timeOf } from './indexes.ts';
import { claimKey, claimName, conversationKeys, indexKeys } from './keys.ts';
import { readLog } from './log.ts';
import { fieldsOfRow, readRecord } from './records.ts';
import { scriptsOf } from './scripts.ts';

const LISTED_AT_ONCE = 500;

/**
 * The conversations on a Redis.
 *
 * @param client it ends with the archive
 */
export class RedisArchive implements ConversationArchive {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #scripts: ReturnType<typeof scriptsOf>;
  readonly #feed: RedisFeed;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#scripts = scriptsOf(client);
    this.#feed = new RedisFeed({ client, prefix, origin: 'archive' });
  }

  /** @throws AppError `overloaded` where Redis doesn't answer; so do all others */
  async count(): Promise<number> {
    return await answered(this.#client.zcard(indexKeys.all(this.#prefix)));
  }

  async *conversations(): AsyncGenerator<Listed> {
    const key = indexKeys.all(this.#prefix);
    for (let after = '-'; ; ) {
      const entries = await answered(this.#client.zrangebylex(key, after, '+', 'LIMIT', 0, LISTED_AT_ONCE));
      const rows = await answered(
        Promise.all(entries.map((entry) => this.#client.hget(this.#keys(idOf(entry)).row, 'entry'))),
      );
      for (const [index, entry] of entries.entries()) {
        // An index may have entries of conversations that are gone.
        if (rows[index] === entry) yield { id: idOf(entry), listedAt: timeOf(entry) };
      }
      const last = entries.at(-1);
      if (last === undefined) return;
      after = `(${last}`;
    }
  }

  async read(id: string): Promise<KeptConversation | undefined> {
    const [found, claim] = await answered(
      Promise.all([
        readRecord(this.#client, this.#prefix, id),
        this.#client.hget(this.#keys(id).row, 'claim'),
      ]),
    );
    if (!found) return undefined;
    const idempotency = claim ? await this.#readKey(id, claim) : null;
    return { record: found.record, idempotency };
  }

  async readOn(id: string, afterSeq: number, limit: number): Promise<LogEntry[]> {
    return await readLog(this.#client, this.#keys(id).log, afterSeq, limit);
  }

  async isListed(id: string): Promise<boolean> {
    const entry = await answered(this.#client.hget(this.#keys(id).row, 'entry'));
    if (entry === null) return false;
    return (await answered(this.#client.zscore(indexKeys.all(this.#prefix), entry))) !== null;
  }

  /**
   * The row comes with the last event, and only then is it listed: lists throw away what has no row. Of all lists
   * the one of all conversations is the last, so that `isListed` speaks for every one.
   */
  async restore(
    conversation: KeptConversation,
    listedAt: number,
    afterSeq: number,
    pages: AsyncIterable<readonly LogEntry[]>,
  ): Promise<boolean> {
    const { record } = conversation;
    const { id, tenant, settings, lastSeq, status } = record;
    const held = await answered(this.#client.hget(this.#keys(id).row, 'entry'));
    const entry = held ?? entryOf(id, new Date(listedAt));
    const claim = await this.#claim(conversation);
    const row = rowOf(conversation, entry, claim);
    let seq = afterSeq;
    for await (const page of pages) {
      const next = seq + page.length;
      await this.#write(id, seq, next === lastSeq ? row : [], page);
      seq = next;
    }
    if (seq === afterSeq) await this.#write(id, seq, row, []);
    const [all = '', ...others] = indexesOf(this.#prefix, tenant, settings);
    if (status !== 'terminated') others.push(indexKeys.unfinished(this.#prefix));
    await answered(Promise.all(others.map((key) => this.#client.zadd(key, 0, entry))));
    await answered(this.#client.zadd(all, 0, entry));
    await this.#feed.restored(tenant, id, lastSeq);
    return claim !== undefined;
  }

  async close(): Promise<void> {
    await answered(this.#client.quit()).catch(() => {});
    this.#client.disconnect();
  }

  async #write(
    id: string,
    afterSeq: number,
    row: readonly (string | number)[],
    page: readonly LogEntry[],
  ): Promise<void> {
    const { row: rowKey, log } = this.#keys(id);
    const events = page.flatMap(({ type, json }) => [type, json]);
    const outcome = await answered(
      this.#scripts.restore([rowKey, log], [afterSeq, row.length, ...row, ...events]),
    );
    if (outcome !== 'restored') throw new Error(`the log of ${id} does not end at ${afterSeq}`);
  }

  async #readKey(id: string, claim: string): Promise<KeptKey | null> {
    const held = await answered(
      this.#client.hmget(claimKey(this.#prefix, claim), 'id', 'body_hash', 'created_at'),
    );
    const [holder, bodyHash, time] = held;
    const createdAt = Number(time);
    if (holder !== id || !bodyHash || createdAt <= Date.now() - IDEMPOTENCY_WINDOW_MS) return null;
    return { key: { hash: claim }, bodyHash, createdAt };
  }

  /** Gives the name of its claim, '' where it has no key; undefined where another conversation holds it. */
  async #claim({ record, idempotency }: KeptConversation): Promise<string | undefined> {
    if (!idempotency) return '';
    const { key, bodyHash, createdAt } = idempotency;
    const claim = 'text' in key ? claimName(key.text) : key.hash;
    const beginning = record.startedAt === null ? 'queued' : 'running';
    const [holder] = (await answered(
      this.#scripts.claim(
        [claimKey(this.#prefix, claim)],
        [record.id, bodyHash, createdAt, beginning, IDEMPOTENCY_WINDOW_MS],
      ),
    )) as string[];
    return holder === record.id ? claim : undefined;
  }

  #keys(id: string): ReturnType<typeof conversationKeys> {
    return conversationKeys(this.#prefix, id);
  }
}

/** The fields of a row, each with its value, as the scripts write them. */
function rowOf({ record }: KeptConversation, entry: string, claim: string | undefined): (string | number)[] {
  const fields = {
    // Over what the record of a run says, which knows no waiting.
    status: record.status,
    tenant: record.tenant,
    entry,
    ...(record.startedAt === null ? {} : { started_at: record.startedAt }),
    ...(claim ? { claim } : {}),
  };
  return [...fieldsOfRow(fieldsOf(record)), ...Object.entries(fields).flat()];
}
