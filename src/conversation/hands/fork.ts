import { AppError, invalid } from '../../errors.ts';
import type { ConversationRequest } from '../../protocol/creation.ts';
import { recordOf } from '../log/creation.ts';
import { type CreatedEvent, defined, type MessageEvent } from '../log/events.ts';
import type { ConversationLog, NewConversation } from '../log/log.ts';
import { readEvents } from '../log/read-state.ts';
import { isTurn } from '../log/record.ts';
import type { ConversationSettings } from '../log/settings.ts';

/** A request for a fork: what is to be other than in the original (10.7). */
export type ForkRequest = {
  [Field in Exclude<keyof ConversationRequest, 'openingMessage'>]?: ConversationRequest[Field] | undefined;
};

/** The messages of a log up to one of them, as they are carried over. */
export interface Copied {
  /** Of the conversation that they are of. */
  id: string;
  /** Of the last of them, there. */
  seq: number;
  messages: readonly MessageEvent[];
}

/** What one append may carry: events, and characters of their JSON. */
const MOST_COPIES = 5000;
const MOST_COPIED_CHARACTERS = 8 * 1024 * 1024;
const MOST_TURNS = 10_000;

/**
 * Reads the messages that a fork begins with, with what was retracted of them meanwhile.
 *
 * @throws AppError `validation_failed` where `atSeq` is no message's; `payload_too_large`
 */
export async function readCopies(
  log: Pick<ConversationLog, 'readOn'>,
  id: string,
  retracted: readonly number[],
  atSeq: number = Number.MAX_SAFE_INTEGER,
): Promise<Copied> {
  const messages: MessageEvent[] = [];
  let characters = 0;
  for await (const events of readEvents(log, id)) {
    for (const event of events) {
      if (event.type !== 'message' || event.seq > atSeq) continue;
      const isRetracted = retracted.includes(event.seq);
      messages.push(isRetracted ? { ...event, message: { ...event.message, retracted: true } } : event);
      characters += event.message.content.length;
    }
    if (messages.length > MOST_COPIES || characters > MOST_COPIED_CHARACTERS) {
      const detail =
        `A fork takes at most ${MOST_COPIES} messages with ${MOST_COPIED_CHARACTERS} characters along: ` +
        'fork from an earlier seq';
      throw new AppError('payload_too_large', detail);
    }
    if ((events.at(-1)?.seq ?? 0) >= atSeq) break;
  }
  const last = messages.at(-1);
  if (!last || (atSeq !== Number.MAX_SAFE_INTEGER && last.seq !== atSeq)) {
    throw invalid([{ path: 'atSeq', message: 'is no seq of a message' }]);
  }
  return { id, seq: last.seq, messages };
}

/** What a conversation like the original would be asked for with, and on top of it what the request says. */
export function requestLike(
  { openingMessage: _opening, scenario: _scenario, maxTurns, ...original }: ConversationSettings,
  { termination, ...given }: ForkRequest,
  turnsCopied: number,
): ConversationRequest {
  const { similarity, ...ends } = original.termination;
  const agents = original.agents.map(({ model, ...agent }) => ({ ...agent, ...(model ? { model } : {}) }));
  const { similarity: closer, ...others } = termination ?? {};
  const said = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== null),
  );
  return {
    ...original,
    agents,
    maxTurns: Math.min(MOST_TURNS, turnsCopied + maxTurns),
    ...said,
    termination: { ...ends, ...defined(others), similarity: { ...similarity, ...defined(closer ?? {}) } },
  };
}

/** How many turns messages have, and that the fork has some left. @throws AppError `validation_failed` */
export function assertTurnsLeft(maxTurns: number, turnsCopied: number): void {
  if (maxTurns > turnsCopied) return;
  const message = `is used up: ${turnsCopied} turns are taken along, and they count`;
  throw invalid([{ path: 'maxTurns', message }]);
}

export function turnsOf(messages: readonly MessageEvent[], { agents }: ConversationSettings): number {
  const turns = messages.filter(({ message }) => isTurn(message, agents));
  return turns.at(-1)?.message.turn ?? 0;
}

/** The fork as a new log: where it is from, and the messages under seqs of their own. */
export function forkedConversation(
  made: Omit<NewConversation, 'events' | 'record'> & { traceparent?: string | undefined; found?: unknown },
  copied: Copied,
): NewConversation {
  const { traceparent, found: _found, ...rest } = made;
  const created: CreatedEvent = {
    seq: 1,
    type: 'conversation.created',
    at: made.createdAt.toISOString(),
    settings: made.settings,
    ...defined({ traceparent }),
    tenant: made.tenant,
    ...defined({ key: made.key }),
    forkedFrom: { id: copied.id, seq: copied.seq },
    copies: copied.messages.length,
  };
  const copies = copied.messages.map(({ at, message }, index): MessageEvent => {
    const seq = index + 2;
    return { seq, type: 'message', at, message: { ...message, seq } };
  });
  const events = [created, ...copies];
  return { ...rest, events, record: recordOf(made.settings, events, copies.length) };
}
