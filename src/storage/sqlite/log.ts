import type Database from 'better-sqlite3';
import { type LogEntry, PAGE_CHARACTERS } from '../../conversation/log/log.ts';

export const READ_ON = `SELECT seq, type, json FROM events
  WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND seq > ?
  ORDER BY seq LIMIT ?`;

/** A page of a log, as the port's `readOn` gives it, by the statement READ_ON. */
export function readLog(
  statement: Database.Statement<unknown[], LogEntry>,
  conversationId: string,
  afterSeq: number,
  limit: number,
): LogEntry[] {
  const entries: LogEntry[] = [];
  let characters = 0;
  for (const entry of statement.iterate(conversationId, afterSeq, limit)) {
    entries.push(entry);
    characters += entry.json.length;
    if (characters >= PAGE_CHARACTERS) break;
  }
  return entries;
}
