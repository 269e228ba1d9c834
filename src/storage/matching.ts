import { caseless } from '../conversation/log/caseless.ts';
import type { ConversationFilter, ConversationRecord } from '../conversation/log/log.ts';

/** Whether a conversation is one of those that a filter asks for. */
export function matches(
  { status, settings, createdAt }: ConversationRecord,
  filter: ConversationFilter,
): boolean {
  const at = Date.parse(createdAt);
  return (
    (filter.status === undefined || status === filter.status) &&
    (filter.provider === undefined || settings.agents.some(({ provider }) => provider === filter.provider)) &&
    (filter.q === undefined || includes(settings.topic, filter.q)) &&
    (filter.createdAfter === undefined || at > filter.createdAfter.getTime()) &&
    (filter.createdBefore === undefined || at < filter.createdBefore.getTime())
  );
}

/** Whether a text has another one somewhere, without case. */
export function includes(text: string, wanted: string): boolean {
  return caseless(text).includes(caseless(wanted));
}
