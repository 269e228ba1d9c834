import type Database from 'better-sqlite3';
import type { Message } from '../../conversation/log/events.ts';
import { type LogEntry, PAGE_CHARACTERS } from '../../conversation/log/log.ts';
import { readDetails } from '../../conversation/log/record.ts';
import { type IndexedMessage, MessageIndex } from '../search/message-index.ts';
import { toMessage } from './records.ts';

/** Messages that are indexed in one transaction: one by one each would cost as much as its commit. */
export const INDEXED_AT_ONCE = 256;
/** Messages that are kept for it in memory. Beyond these they are read back. */
const MOST_KEPT = 16 * INDEXED_AT_ONCE;

interface MessageRow {
  key: number;
  json: string;
  tenant: string;
  details: string | null;
}

interface Kept extends IndexedMessage {
  conversation: number | bigint;
}

/** Has the index of messages follow the log, within the transactions of the writer. */
export interface MessageWords {
  /** Told of each message as it is written, by its key in the log. */
  follow(key: number, conversation: number | bigint, tenant: string, message: Message): void;
  /** Adds the next messages of the log. */
  advance(): void;
  /** Takes out the messages that these entries retract. */
  retract(conversation: number | bigint, entries: readonly LogEntry[]): void;
  /** Takes out a conversation's messages, which are still in the log. */
  forget(conversation: number | bigint): void;
  /** Goes on with wiping out what was forgotten; false where nothing is left of it. */
  tidy(): boolean;
  /** Told of a transaction that came to nothing, with a key that nothing in the log is beyond. */
  rolledBack(lastKey: number): void;
}

/** @param lastKey of the log as it is */
export function messageWords(database: Database.Database, lastKey: number): MessageWords {
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

  /** All messages to be indexed that are behind `keptFrom`, in the order of their keys, so that none is read back. */
  let kept: Kept[] = [];
  let keptFrom = lastKey;
  const keepFrom = (key: number): void => {
    kept = [];
    keptFrom = key;
  };

  function read(from: number): { messages: IndexedMessage[]; end: number | undefined } {
    const rows: MessageRow[] = [];
    let characters = 0;
    for (const row of next.iterate(from)) {
      rows.push(row);
      characters += row.json.length;
      if (characters >= PAGE_CHARACTERS) break;
    }
    const isEnd = rows.length < INDEXED_AT_ONCE && characters < PAGE_CHARACTERS;
    return { messages: rows.flatMap(indexedOf), end: isEnd ? undefined : rows.at(-1)?.key };
  }

  function take(): { messages: IndexedMessage[]; end: number | undefined } {
    let characters = 0;
    let count = 0;
    while (count < Math.min(kept.length, INDEXED_AT_ONCE) && characters < PAGE_CHARACTERS) {
      characters += kept[count++]?.content.length ?? 0;
    }
    const messages = kept.splice(0, count);
    return { messages, end: kept.length === 0 ? undefined : messages.at(-1)?.key };
  }

  return {
    follow(key, conversation, tenant, { sender, content, timestamp, retracted }) {
      if (retracted) return;
      if (kept.length >= MOST_KEPT) return keepFrom(key);
      kept.push({ key, conversation, tenant, sender, content, at: Date.parse(timestamp) });
    },
    advance() {
      const from = done();
      const { messages, end = newest.get() ?? 0 } = from >= keptFrom ? take() : read(from);
      index.add(messages);
      // Keys don't come again, also where the last ones were removed.
      if (end > from) proceed.run(end);
      if (end > keptFrom) kept = kept.filter(({ key }) => key > end);
    },
    retract(conversation, entries) {
      for (const { type, json } of entries) {
        if (type !== 'message.retracted') continue;
        const retracted = keyOf.get(conversation, (JSON.parse(json) as { target: number }).target);
        if (retracted === undefined) continue;
        index.remove([retracted], false);
        kept = kept.filter(({ key }) => key !== retracted);
      }
    },
    forget(conversation) {
      index.remove(keys.all(conversation, done()), true);
      kept = kept.filter((message) => message.conversation !== conversation);
    },
    tidy: () => index.tidy(),
    rolledBack: keepFrom,
  };
}

/** What is retracted is in no index. */
function indexedOf(row: MessageRow): IndexedMessage[] {
  const { seq, sender, content, timestamp, retracted } = toMessage(row);
  if (retracted || readDetails(row.details).retracted.includes(seq)) return [];
  return [{ key: row.key, tenant: row.tenant, sender, content, at: Date.parse(timestamp) }];
}
