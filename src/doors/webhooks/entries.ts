import type { LogEntry } from '../../conversation/log/log.ts';
import { readEvent } from '../../protocol/read-event.ts';

/** Of the events behind the first of a log, those at its beginning that happened elsewhere; nobody is told of them. */
export type Copies = number | 'all';

/** A fork's are its copies of the original's messages, and all of an import, which has ended. */
export function copiesIn(first: LogEntry): Copies {
  if (first.type !== 'conversation.created') return 0;
  const event = readEvent(first.json);
  if (event.type !== 'conversation.created') return 0;
  return event.importedFrom ? 'all' : (event.copies ?? 0);
}

/** ISO 8601 in UTC with milliseconds, which sorts as text. */
export function timeOf({ json }: LogEntry): string {
  return (JSON.parse(json) as { at: string }).at;
}
