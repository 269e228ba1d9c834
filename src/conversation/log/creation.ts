import { type ConversationEvent, openingEvents } from './events.ts';
import type { NewConversation } from './log.ts';
import { initialRecord, recordAfter } from './record.ts';
import type { ConversationSettings } from './settings.ts';

/** A conversation as it is made from a request: its settings, and the opening message. */
export function newConversation(made: {
  id: string;
  tenant: string;
  settings: ConversationSettings;
  createdAt: Date;
  startedAt: Date | null;
  traceparent?: string | undefined;
  idempotency: NewConversation['idempotency'];
}): NewConversation {
  const { traceparent, ...rest } = made;
  const events = openingEvents(made.settings, made.createdAt, traceparent, made.tenant);
  return { ...rest, events, record: recordOf(made.settings, events) };
}

/** The record that the first events of a log make; of them, so many messages are copies. */
export function recordOf(
  settings: ConversationSettings,
  [, ...events]: readonly ConversationEvent[],
  copies = 0,
): NewConversation['record'] {
  return events.reduce(
    (record, event) => recordAfter(record, settings, event, event.seq <= 1 + copies),
    initialRecord(settings),
  );
}
