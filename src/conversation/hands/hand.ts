import { AppError, notFound } from '../../errors.ts';
import { Draft } from '../log/draft.ts';
import type { ConversationEvent, MessageEvent } from '../log/events.ts';
import { type ConversationLog, IDEMPOTENCY_WINDOW_MS } from '../log/log.ts';
import { readState } from '../log/read-state.ts';
import type { ConversationState } from '../log/state.ts';

/** Who does something, and what is the time. */
export interface Doing {
  at: Date;
  /** The name of the key that asks, where there are keys. */
  key?: string | undefined;
  /** Of an idempotency key and the body that came with it; stands in the event that is said with it. */
  request?: { key: string; body: string } | undefined;
}

/**
 * What a person does to a conversation, as the events that it is: it adds them, none where it is done already, and is
 * asked anew where others write first.
 *
 * @throws AppError where the state doesn't allow it, or the request isn't right for it
 */
export type Hand = (draft: Draft, doing: Doing) => void;

/** What came of it. */
interface Done {
  before: ConversationState;
  state: ConversationState;
  events: readonly ConversationEvent[];
  isReplay: boolean;
}

/** Writers that may come first before it is said that the storage is too busy. */
const MOST_TRIES = 100;

/**
 * Does it, wherever the log stands: one append that stands once, or is refused (docs/protocol.md, section 10.8). What
 * was done with the same idempotency key before is not done again, whatever came behind it.
 *
 * @returns the states before and behind it, and what was appended, now or then
 * @throws AppError `not_found`, `conversation_terminated`, `idempotency_mismatch`, or what the hand throws
 */
export async function takeHand(
  { log, now }: { log: ConversationLog; now: () => Date },
  conversationId: string,
  hand: Hand,
  who: Omit<Doing, 'at'> = {},
): Promise<Done> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const read = await readState(log, conversationId);
    if (!read) throw notFound('There is no conversation with this id');
    const doing: Doing = { ...who, at: now() };
    const before = doneBefore(read.state, doing);
    if (before) return { before: read.state, state: read.state, events: [before], isReplay: true };
    if (read.state.status === 'terminated') throw terminated();
    if (read.state.closing) throw conflict('The conversation is coming to its end: it is being decided');
    const draft = new Draft(read.state);
    hand(draft, doing);
    const { events, state } = draft;
    const done = { before: read.state, state, events, isReplay: false };
    if (events.length === 0) return done;
    const outcome = await log.append(conversationId, read.state.lastSeq, events, state);
    if (outcome === 'appended') return done;
    if (outcome === 'terminated') throw terminated();
    if (outcome === 'not_found') throw notFound('There is no conversation with this id');
  }
  throw new AppError('overloaded', 'Too many write to this conversation at once', { retryAfterSeconds: 1 });
}

/** What was said with the same idempotency key, within the time for which keys are remembered (2.6). */
function doneBefore({ requests }: ConversationState, { at, request }: Doing): MessageEvent | undefined {
  const before = request && requests.get(request.key);
  if (!before || at.getTime() - Date.parse(before.at) >= IDEMPOTENCY_WINDOW_MS) return undefined;
  if (before.request?.body === request.body) return before;
  throw new AppError('idempotency_mismatch', 'This Idempotency-Key was used before with another body');
}

function terminated(): AppError {
  return new AppError('conversation_terminated', 'The conversation has ended: only a fork goes on from it');
}

export function conflict(detail: string): AppError {
  return new AppError('conflict', detail);
}
