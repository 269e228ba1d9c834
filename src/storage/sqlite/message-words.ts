import type Database from 'better-sqlite3';
import { type LogEntry, PAGE_CHARACTERS } from '../../conversation/log/log.ts';
import { readDetails } from '../../conversation/log/record.ts';
import { type IndexedMessage, MessageIndex } from '../search/message-index.ts';
import { toMessage } from './records.ts';

/** Messages that are indexed in one transaction: one by one each would cost as much as its commit. */
export const INDEXED_AT_ONCE = 256;

interface MessageRow {
  key: number;
  json: string;
  tenant: string;
  details: string | null;
}

/** Has the index of messages follow the log, within the transactions of the writer. */
export interface MessageWords {
  /** Adds the next messages of the log. */
  advance(): void;
  /** Takes out the messages that these entries retract. */
  retract(conversation: number | bigint, entries: readonly LogEntry[]): void;
  /** Takes out a conversation's messages, which are still in the log. */
  forget(conversation: number | bigint): void;
  /** Goes on with wiping out what was forgotten; false where nothing is left of it. */
  tidy(): boolean;
}

export function messageWords(database: Database.Database): MessageWords {
  const index = new MessageIndex(database);
  const progress = database.prepare<[], number>('SELECT done FROM search_progress').pluck();
  const proceed = database.prepare<[number]>('UPDATE search_progress SET done = ?');
  const newest = database.prepare<[], number>('SELECT ifnull(max(key), 0) FROM events').pluck();
  const next = database.prepare<[number], MessageRow>(
    `SELECT e.key, e.json, c.tenant, c.details FROM events e CROSS JOIN conversations c ON c.key = e.conversation
     WHERE e.key > ? AND e.type = 'message' ORDER BY e.key LIMIT ${INDEXED_AT_ONCE}`,
  );
  const keys = database
    .prepare<[number | bigint, number], number>(
      `SELECT key FROM events WHERE conversation = ? AND key <= ? AND type = 'message'`,
    )
    .pluck();
  const keyOf = database
    .prepare<[number | bigint, number], number>('SELECT key FROM events WHERE conversation = ? AND seq = ?')
    .pluck();
  const done = (): number => progress.get() ?? 0;
  return {
    advance() {
      const read: MessageRow[] = [];
      let characters = 0;
      for (const row of next.iterate(done())) {
        read.push(row);
        characters += row.json.length;
        if (characters >= PAGE_CHARACTERS) break;
      }
      index.add(read.flatMap(indexedOf));
      const isEnd = read.length < INDEXED_AT_ONCE && characters < PAGE_CHARACTERS;
      // Keys don't come again, also where the last ones were removed.
      const key = (isEnd ? newest.get() : read.at(-1)?.key) ?? 0;
      if (key > done()) proceed.run(key);
    },
    retract(conversation, entries) {
      for (const { type, json } of entries) {
        if (type !== 'message.retracted') continue;
        const key = keyOf.get(conversation, (JSON.parse(json) as { target: number }).target);
        if (key !== undefined) index.remove([key], false);
      }
    },
    forget(conversation) {
      index.remove(keys.all(conversation, done()), true);
    },
    tidy: () => index.tidy(),
  };
}

/** What is retracted is in no index. */
function indexedOf(row: MessageRow): IndexedMessage[] {
  const { seq, sender, content, timestamp, retracted } = toMessage(row);
  if (retracted || readDetails(row.details).retracted.includes(seq)) return [];
  return [{ key: row.key, tenant: row.tenant, sender, content, at: Date.parse(timestamp) }];
}
