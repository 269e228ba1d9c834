import { type Signal, signal } from '@preact/signals';
import type { DurableFrame, Message, StreamFrame } from '../../client/types.ts';

/** What an attempt has said so far; it grows without its list being made anew. */
export interface Speaking {
  kind: 'speaking';
  key: string;
  turn: number;
  attempt: string;
  agent: string;
  text: Signal<string>;
  /** In milliseconds of `performance.now()`; undefined for what had begun before this page looked. */
  startedAt: number | undefined;
  firstAt: number | undefined;
  /** Set between a failed attempt and the next. */
  retryInMs: Signal<number | undefined>;
}

export interface Said {
  kind: 'said';
  key: string;
  message: Message;
  /** Whether it was spoken while somebody watched. */
  isNew: boolean;
}

/** What happened between messages. */
export interface Note {
  kind: 'note';
  key: string;
  event: NoteEvent;
  /** Of a proposal: what became of it. */
  decided?: Extract<DurableFrame, { type: 'turn.decided' }>;
}

export type Entry = Said | Speaking | Note;

const NOTED = [
  'conversation.nudged',
  'conversation.paused',
  'conversation.resumed',
  'attempt.spent',
  'speaker.chosen',
  'turn.proposed',
  'ballot.cast',
  'vote.closed',
  'verdict.given',
  'conversation.terminated',
] as const;

export type NoteEvent = Extract<DurableFrame, { type: (typeof NOTED)[number] }>;

function isNoted(frame: StreamFrame): frame is NoteEvent {
  return NOTED.some((type) => type === frame.type);
}

/**
 * The entries after one more frame, in place. An agent's turn keeps its key from its first token to its message, so
 * that whoever reads it keeps the place. Frames of unknown types change nothing.
 *
 * @param isNew whether it happens now, and is no history
 */
export function applyTo(entries: Entry[], frame: StreamFrame, isNew: boolean): void {
  switch (frame.type) {
    case 'turn.started': {
      drop(entries, isSpeaking);
      entries.push(speakingOf(frame, '', isNew));
      break;
    }
    case 'turn.delta': {
      const speaking = entries.findLast(isSpeaking);
      if (speaking?.attempt === frame.attempt) {
        speaking.firstAt ??= performance.now();
        speaking.retryInMs.value = undefined;
        speaking.text.value += frame.text;
        break;
      }
      drop(entries, isSpeaking);
      entries.push(speakingOf(frame, frame.text, false));
      break;
    }
    case 'turn.failed': {
      const speaking = entries.findLast(isSpeaking);
      if (speaking?.attempt !== frame.attempt) break;
      if (frame.retryInMs === null) drop(entries, isSpeaking);
      else {
        speaking.text.value = '';
        speaking.retryInMs.value = frame.retryInMs;
      }
      break;
    }
    case 'message': {
      const { message } = frame;
      // A person's word stands behind what is in the log, and before the turn that goes on meanwhile.
      drop(entries, (entry) => isSpeaking(entry) && message.role === 'agent' && entry.turn <= message.turn);
      insert(entries, { kind: 'said', key: keyOf(message), message, isNew });
      break;
    }
    case 'message.retracted': {
      const at = entries.findIndex((entry) => entry.kind === 'said' && entry.message.seq === frame.target);
      const entry = entries[at];
      if (entry?.kind === 'said') entries[at] = { ...entry, message: { ...entry.message, retracted: true } };
      break;
    }
    case 'turn.decided': {
      const at = entries.findLastIndex(
        (entry) =>
          entry.kind === 'note' && entry.event.type === 'turn.proposed' && entry.event.turn === frame.turn,
      );
      const entry = entries[at];
      // What was let through stands there as the message.
      if (frame.decision !== 'reject') entries.splice(at, at < 0 ? 0 : 1);
      else if (entry?.kind === 'note') entries[at] = { ...entry, decided: frame };
      break;
    }
    default:
      // What is waited for stands there itself.
      if (!isNoted(frame) || (frame.type === 'conversation.paused' && frame.for === 'approval')) break;
      if (frame.type === 'conversation.terminated' || frame.type === 'turn.proposed')
        drop(entries, isSpeaking);
      insert(entries, { kind: 'note', key: `n${frame.seq}`, event: frame });
  }
}

/** How many times it replies: agents' own turns only. */
export function isTurn(entry: Entry): entry is Said {
  return entry.kind === 'said' && entry.message.role === 'agent';
}

function isSpeaking(entry: Entry): entry is Speaking {
  return entry.kind === 'speaking';
}

function speakingOf(
  { turn, attempt, agent }: Extract<StreamFrame, { type: 'turn.started' | 'turn.delta' }>,
  text: string,
  isNew: boolean,
): Speaking {
  return {
    kind: 'speaking',
    key: `t${turn}`,
    turn,
    attempt,
    agent,
    text: signal(text),
    startedAt: isNew ? performance.now() : undefined,
    firstAt: undefined,
    retryInMs: signal(undefined),
  };
}

/** An agent speaks once in a turn; a person as often as it likes. */
function keyOf({ role, turn, seq }: Message): string {
  return role === 'agent' ? `t${turn}` : `s${seq}`;
}

function insert(entries: Entry[], entry: Entry): void {
  const last = entries.at(-1);
  if (last && isSpeaking(last)) entries.splice(-1, 0, entry);
  else entries.push(entry);
}

function drop(entries: Entry[], which: (entry: Entry) => boolean): void {
  const at = entries.findLastIndex(which);
  if (at >= 0) entries.splice(at, 1);
}
