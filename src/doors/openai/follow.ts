import type { Writable } from 'node:stream';
import { type ConversationRecord, EVERY_TENANT } from '../../conversation/log/log.ts';
import { BEGINNING } from '../../conversation/stream/cursor.ts';
import { type StreamEnd, type StreamSink, streamConversation } from '../../conversation/stream/stream.ts';
import { AppError } from '../../errors.ts';
import type { Caller } from '../../server/caller.ts';
import type { Connections } from '../../server/connections.ts';
import { drained, together } from '../../server/connections.ts';
import type { ServerParts } from '../../server/parts.ts';
import { endByUser } from '../../server/routes/conversations.ts';
import { FailedCompletion, upstreamFailure } from './errors.ts';
import { outcomeText } from './outcome.ts';
import { Transcript } from './transcript.ts';

/** Characters of an answer, after which it is cut short: 8 Mi. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

/** How an answer came to its end. `cut`: it was too long. */
type Finish = { record: ConversationRecord; cut: boolean };

/**
 * Tells a conversation to its end as the text of one answer. Whoever asked and goes away ends it; so does what else
 * keeps the answer from being given.
 *
 * @param say gets each piece of the text
 * @param beat has whoever waits know that the server is there
 * @returns undefined where nobody waits for the answer any more
 * @throws AppError `overloaded` as the server shuts down; FailedCompletion where the conversation was removed
 */
export async function followToEnd(
  parts: ServerParts,
  connections: Connections,
  started: ConversationRecord,
  {
    answer,
    caller,
    wire,
    say,
    beat,
  }: {
    answer: 'transcript' | 'outcome';
    caller: Caller;
    wire: Writable;
    say: (text: string) => void;
    beat: () => void;
  },
): Promise<Finish | undefined> {
  const leaving = new AbortController();
  let why: 'gone' | 'shutdown' | 'cut' | undefined;
  const leave = (reason: NonNullable<typeof why>): void => {
    why ??= reason;
    leaving.abort();
  };
  const transcript = new Transcript();
  let characters = 0;
  const tell = (text: string): void => {
    if (text === '' || why !== undefined) return;
    characters += text.length;
    say(text);
    if (characters > MOST_CHARACTERS) leave('cut');
  };
  const sink: StreamSink = {
    send(frame) {
      const text = transcript.take(frame);
      if (answer === 'transcript') tell(text);
    },
    together: (sending) => together(wire, sending),
    backlog: () => wire.writableLength,
    drained: (signal) => drained(wire, signal),
  };
  const connection = {
    ...sink,
    end: () => leave('shutdown'),
    beat,
    destroy: () => void wire.destroy(),
  };
  const onClose = (): void => leave('gone');
  wire.on('close', onClose);
  wire.on('error', onClose);
  if (wire.destroyed) onClose();
  connections.add(connection, caller);
  let end: StreamEnd | undefined;
  try {
    end = await streamConversation(parts, started.id, BEGINNING, sink, leaving.signal);
  } finally {
    connections.delete(connection);
    wire.off('close', onClose);
    if (end !== 'ended') await endByUser(parts, started, detailOf(why)).catch(() => {});
  }
  if (why === 'gone' || end === 'too_slow') return undefined;
  if (why === 'shutdown') {
    throw new AppError('overloaded', 'The server is shutting down', { retryAfterSeconds: 5 });
  }
  const record = await parts.catalog.get(EVERY_TENANT, started.id);
  if (!record || end === 'removed' || end === 'rewritten') {
    throw new FailedCompletion(upstreamFailure('The conversation is gone'));
  }
  const outcome = outcomeText(record.outcome);
  if (answer === 'outcome') tell(outcome ?? transcript.lastMessage);
  else if (outcome !== undefined) tell(`\n\n${outcome}`);
  return { record, cut: why === 'cut' };
}

function detailOf(why: 'gone' | 'shutdown' | 'cut' | undefined): string {
  switch (why) {
    case 'shutdown':
      return 'the server shut down while the answer was given';
    case 'cut':
      return 'the answer is too long';
    default:
      return 'the connection was closed';
  }
}
