import type { Message, MessageEvent } from '../../conversation/log/events.ts';
import {
  type ContextMessage,
  type LogEntry,
  PAGE_CHARACTERS,
  toContext,
} from '../../conversation/log/log.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';

/** How many events are asked for before it is known how long they are. */
const FIRST_EVENTS = 64;

/** A page of a log, as the port's `readOn` gives it. */
export async function readLog(
  client: RedisClient,
  log: string,
  afterSeq: number,
  limit: number,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  let characters = 0;
  while (entries.length < limit) {
    const average = entries.length > 0 ? Math.max(1, characters / entries.length) : undefined;
    const wanted = average ? Math.ceil((PAGE_CHARACTERS - characters) / average) : FIRST_EVENTS;
    const count = Math.min(limit - entries.length, wanted);
    const from = (entries.at(-1)?.seq ?? afterSeq) + 1;
    const read = (await answered(client.xrange(log, `${from}-0`, '+', 'COUNT', count))).map(toEntry);
    for (const entry of read) {
      entries.push(entry);
      characters += entry.json.length;
      if (characters >= PAGE_CHARACTERS) return entries;
    }
    if (read.length < count) return entries;
  }
  return entries;
}

/** The last messages of a log as a prompt needs them, in order, and the seq at which it ends. */
export async function readContext(
  client: RedisClient,
  log: string,
  limit: number,
): Promise<{ messages: ContextMessage[]; lastSeq: number }> {
  const messages: ContextMessage[] = [];
  let lastSeq = 0;
  let before = '+';
  for (;;) {
    // One more, for the event that may stand behind them.
    const count = limit - messages.length + 1;
    const read = (await answered(client.xrevrange(log, before, '-', 'COUNT', count))).map(toEntry);
    lastSeq ||= read[0]?.seq ?? 0;
    for (const entry of read) {
      if (entry.type === 'message') messages.push(toContext(toMessage(entry)));
      if (messages.length === limit) return { messages: messages.reverse(), lastSeq };
    }
    const first = read.at(-1);
    if (!first || read.length < count) return { messages: messages.reverse(), lastSeq };
    before = `(${first.seq}-0`;
  }
}

/** The message in an event of that type. */
export function toMessage({ json }: LogEntry): Message {
  return (JSON.parse(json) as MessageEvent).message;
}

/** An entry of the stream: its id, and its fields with their values as the scripts wrote them. */
function toEntry([id, [, type = '', , json = '']]: [id: string, fields: string[]]): LogEntry {
  return { seq: Number.parseInt(id, 10), type, json };
}
