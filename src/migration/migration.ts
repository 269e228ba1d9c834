import { isDeepStrictEqual } from 'node:util';
import type { LogEntry } from '../conversation/log/log.ts';
import type { ConversationArchive, Listed } from '../storage/archive.ts';

/** The migration can't be done, or what was done isn't right. The message is one line. */
class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

export interface Progress {
  step: 'copied' | 'compared';
  conversations: number;
  of: number;
}

export interface MigrationReport {
  conversations: number;
  events: number;
  /** Conversations that were there already, with the same log. */
  skipped: number;
  /** Conversations of the target's own. */
  others: number;
  /** Idempotency keys that still hold at the source and could not be taken along. */
  keysLeftBehind: number;
}

const PAGE_EVENTS = 1000;

/**
 * Copies every conversation of one storage to another, oldest first, each event with its very text, and then
 * reads both sides again and compares them. What is there already is left as it is, so that a migration that was
 * broken off is gone on with by doing it again. The source is not changed.
 *
 * @param onProgress told after each conversation
 * @throws MigrationError where the target has another log of the same conversation, or the two sides differ in
 * the end; the signal's reason; whatever the storages throw
 */
export async function migrate(
  source: ConversationArchive,
  target: ConversationArchive,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<MigrationReport> {
  const of = await source.count();
  const report: MigrationReport = { conversations: 0, events: 0, skipped: 0, others: 0, keysLeftBehind: 0 };
  for await (const listed of inStrictOrder(source.conversations())) {
    signal.throwIfAborted();
    const outcome = await copy(source, target, listed, signal);
    if (outcome === 'skipped') report.skipped++;
    if (outcome === 'without its key') report.keysLeftBehind++;
    onProgress({ step: 'copied', conversations: ++report.conversations, of });
  }
  await compare(source, target, report, { signal, onProgress });
  return report;
}

/**
 * Makes the times of lists rise wherever ids don't: then time and id together give the order that the source has,
 * also where its clock was set back.
 */
async function* inStrictOrder(conversations: AsyncIterable<Listed>): AsyncGenerator<Listed> {
  let previous: Listed = { id: '', listedAt: 0 };
  for await (const { id, listedAt } of conversations) {
    previous = { id, listedAt: Math.max(listedAt, previous.listedAt + (id > previous.id ? 0 : 1)) };
    yield previous;
  }
}

async function copy(
  source: ConversationArchive,
  target: ConversationArchive,
  { id, listedAt }: Listed,
  signal: AbortSignal,
): Promise<'copied' | 'skipped' | 'without its key'> {
  const kept = await source.read(id);
  // It was removed a moment ago.
  if (!kept) return 'skipped';
  const { seq, isSame } = await agreement(source, target, id, signal);
  if (!isSame) {
    throw new MigrationError(
      `the target has a conversation ${id} with another log; nothing of it was changed`,
    );
  }
  const { lastSeq } = kept.record;
  if (seq >= lastSeq && (await target.isListed(id))) return 'skipped';
  const pages = pagesOf(source, id, seq, lastSeq, signal);
  return (await target.restore(kept, listedAt, seq, pages)) ? 'copied' : 'without its key';
}

/** The events behind a seq, up to another. */
async function* pagesOf(
  source: ConversationArchive,
  id: string,
  afterSeq: number,
  lastSeq: number,
  signal: AbortSignal,
): AsyncGenerator<LogEntry[]> {
  for (let seq = afterSeq; seq < lastSeq; ) {
    signal.throwIfAborted();
    const page = await source.readOn(id, seq, Math.min(PAGE_EVENTS, lastSeq - seq));
    const last = page.at(-1);
    if (last?.seq !== seq + page.length) throw new MigrationError(`the log of ${id} has a gap behind ${seq}`);
    yield page;
    seq = last.seq;
  }
}

/** How far the target's log is the source's; `isSame` is false where it goes on differently, or further. */
async function agreement(
  source: ConversationArchive,
  target: ConversationArchive,
  id: string,
  signal: AbortSignal,
): Promise<{ seq: number; isSame: boolean }> {
  for (let seq = 0; ; ) {
    signal.throwIfAborted();
    const there = await target.readOn(id, seq, PAGE_EVENTS);
    if (there.length === 0) return { seq, isSame: true };
    const here = await source.readOn(id, seq, there.length);
    if (here.length === 0) return { seq, isSame: false };
    for (const [index, entry] of here.entries()) {
      const other = there[index];
      // The two sides may end their pages elsewhere.
      if (!other) break;
      if (!isDeepStrictEqual(other, entry)) return { seq, isSame: false };
      seq = entry.seq;
    }
  }
}

/** Reads both sides again: the same conversations in the same order, the same logs, the same facts. */
async function compare(
  source: ConversationArchive,
  target: ConversationArchive,
  report: MigrationReport,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
): Promise<void> {
  const expected = new Set<string>();
  for await (const { id } of source.conversations()) expected.add(id);
  const missing = expected.values();
  let compared = 0;
  for await (const { id } of target.conversations()) {
    signal.throwIfAborted();
    if (!expected.has(id)) {
      report.others++;
      continue;
    }
    const { value: awaited } = missing.next();
    if (awaited !== id) throw differs(awaited ?? id, 'is not in its place in the list of the target');
    const [kept, copied] = [await source.read(id), await target.read(id)];
    if (!kept || !copied) throw differs(id, 'was removed meanwhile');
    const { seq, isSame } = await agreement(source, target, id, signal);
    if (!isSame || seq !== kept.record.lastSeq) throw differs(id, 'has not the same log on both sides');
    if (!isDeepStrictEqual(copied.record, kept.record)) {
      throw differs(id, 'has not the same state on both sides');
    }
    report.events += seq;
    onProgress({ step: 'compared', conversations: ++compared, of: expected.size });
  }
  if (compared < expected.size) throw differs(missing.next().value ?? '', 'is not listed at the target');
}

function differs(id: string, how: string): MigrationError {
  return new MigrationError(`the conversation ${id} ${how}; is a server running on one of them?`);
}
