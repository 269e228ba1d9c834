import type { LogEntry } from '../log/log.ts';
import { markOfEntry } from '../log/mark.ts';
import { formatCursor, NO_MORE } from './cursor.ts';

/** One try at a turn while it is being made. */
export interface AttemptUnderWay {
  readonly id: string;
  readonly turn: number;
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  /** The last seq of the log before what it says next: of when it began, or of what others wrote since. */
  afterSeq: number;
  /** Of that event; undefined from an instance of a release that had no marks. */
  afterMark: string | undefined;
  /** All it has said so far; it always ends at the end of a code point. */
  text: string;
}

/** One frame of a stream, written once for however many read it. */
export interface Frame {
  readonly type: string;
  readonly cursor: string;
  /** The whole frame as JSON text. */
  readonly json: string;
  /** Of a durable event; undefined for the frames in between. */
  readonly seq: number | undefined;
  /** The seq of the last event before it: where in the order it belongs. */
  readonly afterSeq: number;
  /** Of the event that a reader stands behind who has had this frame. */
  readonly mark: string | undefined;
  /** Of a durable event: whether no attempt goes on behind it. */
  readonly endsTurn: boolean;
  /** Of a frame in between: the attempt it is of. */
  readonly attempt: AttemptUnderWay | undefined;
  /** What a delta adds; else empty. */
  readonly text: string;
  /** Of a frame in between: how much of the attempt a reader has had with it, in UTF-16 units. */
  readonly to: number;
}

/** The frame of a durable event. */
export function eventFrame(conversationId: string, entry: LogEntry): Frame {
  const { seq, type, json } = entry;
  const mark = markOfEntry(entry);
  const cursor = formatCursor(conversationId, seq, mark);
  const head = `{"conversationId":"${conversationId}","cursor":"${cursor}",`;
  return {
    type,
    cursor,
    seq,
    afterSeq: seq - 1,
    mark,
    json: head + json.slice(1),
    endsTurn: endsTurn(entry),
    attempt: undefined,
    text: '',
    to: 0,
  };
}

/** What all frames have in common that are not kept. */
const PASSING = { seq: undefined, endsTurn: false };

/**
 * Whether no attempt that began before an event goes on behind it. A person's word or a pause comes inside a turn,
 * which is spoken all the same; an agent's message, a reply that is held back and the end are what it comes to.
 */
export function endsTurn({ type, json }: LogEntry): boolean {
  // Within a text its quotation marks would be escaped.
  if (type === 'message') return json.includes('"role":"agent"');
  return type === 'conversation.terminated' || type === 'turn.proposed';
}

/** The frame of an event inside a turn, for a reader that has had so much of an attempt (4.2). */
export function frameWithin(
  conversationId: string,
  frame: Frame,
  { attempt, offset }: { attempt: string; offset: number },
): Frame {
  const cursor = formatCursor(conversationId, frame.afterSeq + 1, frame.mark, attempt, offset);
  return { ...frame, cursor, json: frame.json.replace(frame.cursor, () => cursor) };
}

export function startedFrame(conversationId: string, attempt: AttemptUnderWay): Frame {
  const { id, turn, agent, provider, model } = attempt;
  return passingFrame(conversationId, 'turn.started', attempt, 0, {
    turn,
    attempt: id,
    agent,
    provider,
    model,
  });
}

/** A piece of what an attempt said, which ends `to` UTF-16 units into it. */
export function deltaFrame(
  conversationId: string,
  attempt: AttemptUnderWay,
  text: string,
  to: number,
): Frame {
  const { id, turn, agent, afterSeq, afterMark: mark } = attempt;
  const cursor = formatCursor(conversationId, afterSeq, mark, id, to);
  // Of all frames there are most of these: only what may need escaping goes through JSON.stringify.
  const json =
    `{"type":"turn.delta","conversationId":"${conversationId}","cursor":"${cursor}","turn":${turn},` +
    `"attempt":"${id}","agent":${JSON.stringify(agent)},"text":${JSON.stringify(text)}}`;
  return { ...PASSING, type: 'turn.delta', cursor, json, afterSeq, mark, attempt, text, to };
}

/** Its text is void, so that whoever has had this frame needs no more of the attempt. */
export function failedFrame(
  conversationId: string,
  attempt: AttemptUnderWay,
  { error, retryInMs }: { error: string; retryInMs: number | null },
): Frame {
  const { id, turn, agent } = attempt;
  const fields = { turn, attempt: id, agent, error, retryInMs };
  return passingFrame(conversationId, 'turn.failed', attempt, NO_MORE, fields);
}

function passingFrame(
  conversationId: string,
  type: string,
  attempt: AttemptUnderWay,
  to: number,
  fields: object,
): Frame {
  const { id, afterSeq, afterMark: mark } = attempt;
  const cursor = formatCursor(conversationId, afterSeq, mark, id, to);
  const json = JSON.stringify({ type, conversationId, cursor, ...fields });
  return { ...PASSING, type, cursor, json, afterSeq, mark, attempt, text: '', to };
}
