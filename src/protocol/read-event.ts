import { type ConversationEvent, DEFAULT_TENANT, type StoredEvent } from './events.ts';

/**
 * Reads an event back from the log's own text, whichever release wrote it: what older ones left out gets the
 * default of its schema. What stands in a log was written from these types, so it is not checked again on
 * every read. An event of a type that this release doesn't know, which a newer one wrote, comes as it is:
 * whoever reads events passes over types that it doesn't know.
 */
export function readEvent(json: string): ConversationEvent {
  const event = JSON.parse(json) as StoredEvent;
  switch (event.type) {
    case 'conversation.created':
      event.tenant ??= DEFAULT_TENANT;
      break;
    case 'conversation.paused':
      event.for ??= 'user';
      event.by ??= 'user';
      break;
    case 'conversation.resumed':
      event.by ??= 'user';
      break;
    default:
  }
  return event as ConversationEvent;
}
