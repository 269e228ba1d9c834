import { createHash, randomUUID } from 'node:crypto';
import {
  MOST_COLLECTIONS,
  type PutOutcome,
  type ReadDocument,
} from '../../conversation/knowledge/knowledge.ts';
import { IDEMPOTENCY_WINDOW_MS } from '../../conversation/log/log.ts';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import { defineScript, type Script } from '../../storage/redis/scripts.ts';

/** A document that changed: put, or gone where it is undefined. */
export interface Change {
  version: number;
  tenant: string;
  collection: string;
  id: string;
  document: ReadDocument | undefined;
}

/**
 * The documents of all tenants in Redis, all in one slot of a cluster. Each has the number of its last change in a sorted
 * set, so that an index that knows how far it came reads on from there, and one that knows nothing reads all.
 */
export class RedisDocuments {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #put: Script;
  readonly #delete: Script;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = `{${prefix}:knowledge}`;
    this.#put = defineScript(client, 'knowledge_put', new URL('./scripts/put.lua', import.meta.url));
    this.#delete = defineScript(client, 'knowledge_delete', new URL('./scripts/delete.lua', import.meta.url));
  }

  async put(
    tenant: string,
    collection: string,
    document: ReadDocument,
    request: { key: string; bodyHash: string } | undefined,
  ): Promise<PutOutcome> {
    const name = nameOf(tenant, collection, document.id);
    const keys = [
      this.#version,
      this.#changes,
      this.#document(name),
      this.#documents(tenant, collection),
      this.#collections(tenant),
      this.#request(tenant, request?.key ?? ''),
    ];
    const window = IDEMPOTENCY_WINDOW_MS / 1000;
    const values = [name, document.id, collection, JSON.stringify(document), MOST_COLLECTIONS];
    const outcome = await answered(
      this.#put(keys, [...values, request?.bodyHash ?? '', window]) as Promise<string>,
    );
    if (outcome.startsWith('replayed '))
      return { outcome: 'replayed', id: outcome.slice('replayed '.length) };
    return { outcome: outcome as 'kept' | 'full' | 'idempotency_mismatch' };
  }

  async replayOf(
    tenant: string,
    request: { key: string; bodyHash: string },
  ): Promise<PutOutcome | undefined> {
    const [body, id] = await answered(this.#client.hmget(this.#request(tenant, request.key), 'body', 'id'));
    if (body === null || body === undefined) return undefined;
    return body === request.bodyHash
      ? { outcome: 'replayed', id: id ?? '' }
      : { outcome: 'idempotency_mismatch' };
  }

  /** How many there were. @param ids all of the collection where there are none */
  async delete(tenant: string, collection: string, ids: readonly string[]): Promise<number> {
    const keys = [
      this.#version,
      this.#changes,
      this.#documents(tenant, collection),
      this.#collections(tenant),
    ];
    const names = [collection, this.#document(), nameOf(tenant, collection, '')];
    return (await answered(this.#delete(keys, [...names, ...ids]))) as number;
  }

  /** Tells what all instances on this Redis have elsewhere from what others have there. */
  async space(): Promise<string> {
    const key = `${this.#prefix}:space`;
    await answered(this.#client.set(key, randomUUID(), 'NX'));
    return (await answered(this.#client.get(key))) ?? '';
  }

  /** The number of the last change; 0 before the first. */
  async version(): Promise<number> {
    return Number((await answered(this.#client.get(this.#version))) ?? 0);
  }

  /** The next changes behind a version, in order; none at the end. */
  async changes(after: number, limit: number): Promise<Change[]> {
    const found = await answered(
      this.#client.zrangebyscore(this.#changes, `(${after}`, '+inf', 'WITHSCORES', 'LIMIT', 0, limit),
    );
    const changes: Change[] = [];
    for (let index = 0; index < found.length; index += 2) {
      const name = found[index] ?? '';
      const [tenant = '', collection = '', id = ''] = name.split('\n');
      const json = await answered(this.#client.hget(this.#document(name), 'json'));
      const version = Number(found[index + 1]);
      changes.push({ version, tenant, collection, id, document: json === null ? undefined : revived(json) });
    }
    return changes;
  }

  get #version(): string {
    return `${this.#prefix}:version`;
  }

  get #changes(): string {
    return `${this.#prefix}:changes`;
  }

  /** The key of a document; without its name, what all begin with. */
  #document(name?: string): string {
    return `${this.#prefix}:document:${name === undefined ? '' : createHash('sha1').update(name).digest('hex')}`;
  }

  #documents(tenant: string, collection: string): string {
    return `${this.#prefix}:documents:${tenant}:${collection}`;
  }

  #collections(tenant: string): string {
    return `${this.#prefix}:collections:${tenant}`;
  }

  #request(tenant: string, key: string): string {
    return `${this.#prefix}:request:${tenant}:${key}`;
  }
}

/** Neither tenants nor collections nor ids have a line break. */
function nameOf(tenant: string, collection: string, id: string): string {
  return [tenant, collection, id].join('\n');
}

function revived(json: string): ReadDocument {
  const document = JSON.parse(json) as Omit<ReadDocument, 'createdAt'> & { createdAt: string };
  return { ...document, createdAt: new Date(document.createdAt) };
}
