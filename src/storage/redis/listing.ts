import type {
  ConversationFilter,
  ConversationRecord,
  Page,
  TenantScope,
} from '../../conversation/log/log.ts';
import { AppError } from '../../errors.ts';
import { matches } from '../matching.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import { idOf, indexesFor, newest, spanOf, timeOf } from './indexes.ts';
import { conversationKeys, indexKeys } from './keys.ts';
import { type Found, readRecord } from './records.ts';

/** How many conversations are looked at in one go, at most. */
const MAX_BATCH = 500;
/** An entry without a conversation may be one that is just being made; after so many milliseconds it is not. */
const BEING_MADE_MS = 10 * 60 * 1000;

/**
 * One page of conversations, newest first: walks down the smallest index that has all of them, and looks at each.
 * Only a `q` of one or two characters without another filter, and `terminated`, go through all conversations.
 */
export async function listConversations(
  client: RedisClient,
  prefix: string,
  tenant: TenantScope,
  filter: ConversationFilter,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<Page<ConversationRecord>> {
  const start = cursor === undefined ? undefined : parseListCursor(cursor);
  const keys = await answered(indexesFor(client, prefix, tenant, filter));
  const found: Found[] = [];
  let span = spanOf(filter, start);
  for (let size = limit + 1; found.length <= limit; size = Math.min(size * 2, MAX_BATCH)) {
    const entries = await answered(newest(client, keys, span, size));
    const looked = await answered(
      Promise.all(entries.map((entry) => readRecord(client, prefix, idOf(entry)))),
    );
    const rows = looked.map((each) => each && { entry: each.entry, status: each.record.status });
    await sweep(client, prefix, keys, entries, rows);
    for (const [index, conversation] of looked.entries()) {
      if (
        conversation &&
        conversation.entry === entries[index] &&
        matches(conversation.record, tenant, filter)
      ) {
        found.push(conversation);
      }
    }
    if (entries.length < size) break;
    span = { ...span, before: entries.at(-1) };
  }
  const last = found.length > limit ? found[limit - 1] : undefined;
  return { items: found.slice(0, limit).map(({ record }) => record), nextCursor: last?.entry ?? null };
}

/** The ids of all conversations that are to run, oldest first. */
export async function listUnfinished(client: RedisClient, prefix: string): Promise<string[]> {
  const key = indexKeys.unfinished(prefix);
  const entries = await answered(client.zrange(key, '0', '-1'));
  const unfinished: string[] = [];
  for (let from = 0; from < entries.length; from += MAX_BATCH) {
    const batch = entries.slice(from, from + MAX_BATCH);
    const rows = await answered(Promise.all(batch.map((entry) => readRow(client, prefix, idOf(entry)))));
    await sweep(client, prefix, [key], batch, rows);
    for (const [index, entry] of batch.entries()) {
      const row = rows[index];
      if (row?.entry === entry && RUNS.has(row.status)) unfinished.push(idOf(entry));
    }
  }
  return unfinished;
}

const RUNS: ReadonlySet<string> = new Set(['running', 'queued']);

/** What a look at an entry is about: whether its conversation is there, has that entry, and goes on. */
interface Row {
  entry: string;
  status: string;
}

async function readRow(client: RedisClient, prefix: string, id: string): Promise<Row | undefined> {
  const [entry, status] = await client.hmget(conversationKeys(prefix, id).row, 'entry', 'status');
  return entry && status ? { entry, status } : undefined;
}

/**
 * Removes from the indexes what a process left there that ended between two writes. An entry without a
 * conversation goes when it is old enough; one that isn't its conversation's, or has ended, goes at once, for
 * neither can change any more.
 */
async function sweep(
  client: RedisClient,
  prefix: string,
  keys: readonly string[],
  entries: readonly string[],
  rows: readonly (Row | undefined)[],
): Promise<void> {
  const unfinished = indexKeys.unfinished(prefix);
  const removals = entries.flatMap((entry, index) => {
    const row = rows[index];
    const isGhost = row ? row.entry !== entry : timeOf(entry) < Date.now() - BEING_MADE_MS;
    if (isGhost) return keys.map((key) => [key, entry]);
    return row?.status === 'terminated' && keys.includes(unfinished) ? [[unfinished, entry]] : [];
  });
  await answered(Promise.all(removals.map(([key = '', entry = '']) => client.zrem(key, entry))));
}

const CURSOR_FORM = /^[\da-f]{12}-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

function parseListCursor(cursor: string): string {
  if (!CURSOR_FORM.test(cursor)) throw new AppError('invalid_cursor', 'The cursor is malformed');
  return cursor;
}
