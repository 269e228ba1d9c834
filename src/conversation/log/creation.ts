import type { GuardFinding } from '../../protocol/guard.ts';
import { type ConversationEvent, openingEvents } from './events.ts';
import type { NewConversation } from './log.ts';
import { initialRecord, recordAfter } from './record.ts';
import type { ConversationSettings } from './settings.ts';

/** A conversation as it is made from a request: its settings, and the opening message. */
export function newConversation(made: {
  id: string;
  tenant: string;
  key?: string | undefined;
  settings: ConversationSettings;
  createdAt: Date;
  startedAt: Date | null;
  traceparent?: string | undefined;
  idempotency: NewConversation['idempotency'];
  /** What guards found in the settings. */
  found?: readonly GuardFinding[] | undefined;
}): NewConversation {
  const { traceparent, found, ...rest } = made;
  const { settings, createdAt, tenant, key } = made;
  const events = openingEvents(settings, createdAt, traceparent, tenant, found, key);
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
