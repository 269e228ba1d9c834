import type { ConversationEvent } from '../../conversation/log/events.ts';
import type { NewConversation } from '../../conversation/log/log.ts';
import type { Claim } from './writer.ts';

/** Who took an idempotency key so many milliseconds ago may still be making the conversation; it is the same then. */
const SAME_MOMENT_MS = 60_000;

/** What is kept under the idempotency key of a conversation that is to be made. */
export function claimOf({ id, createdAt, startedAt }: NewConversation, bodyHash: string): Claim {
  return { id, bodyHash, createdAt: createdAt.getTime(), beginning: startedAt ? 'running' : 'queued' };
}

/** A conversation as it is to be made for who took its idempotency key first, and may be gone. */
export function asClaimed(
  conversation: NewConversation,
  held: Pick<Claim, 'createdAt' | 'beginning'>,
): NewConversation {
  const now = conversation.createdAt.getTime();
  const time = new Date(now - held.createdAt < SAME_MOMENT_MS ? held.createdAt : now);
  return { ...madeAt(conversation, time), startedAt: held.beginning === 'running' ? time : null };
}

/** A conversation as it would have begun at another time. */
function madeAt(conversation: NewConversation, createdAt: Date): NewConversation {
  const at = createdAt.toISOString();
  const was = conversation.createdAt.toISOString();
  const events = conversation.events.map((event): ConversationEvent => {
    if (event.at !== was) return event;
    if (event.type !== 'message') return { ...event, at };
    return { ...event, at, message: { ...event.message, timestamp: at } };
  });
  return { ...conversation, createdAt, events };
}
