import { caseless } from '../conversation/log/caseless.ts';
import {
  type ConversationFilter,
  type ConversationRecord,
  EVERY_TENANT,
  type TenantScope,
} from '../conversation/log/log.ts';

/** Whether a conversation is one of those of a tenant that a filter asks for. */
export function matches(
  { tenant, status, settings, createdAt }: ConversationRecord,
  scope: TenantScope,
  filter: ConversationFilter,
): boolean {
  const at = Date.parse(createdAt);
  return (
    (scope === EVERY_TENANT || tenant === scope) &&
    hasLabels(settings.metadata, filter.labels ?? {}) &&
    (filter.status === undefined || status === filter.status) &&
    (filter.provider === undefined || settings.agents.some(({ provider }) => provider === filter.provider)) &&
    (filter.q === undefined || includes(settings.topic, filter.q)) &&
    (filter.createdAfter === undefined || at > filter.createdAfter.getTime()) &&
    (filter.createdBefore === undefined || at < filter.createdBefore.getTime())
  );
}

/** Whether metadata has entries with these values, numbers and booleans as JSON writes them. */
function hasLabels(
  metadata: ConversationRecord['settings']['metadata'],
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(labels).every(
    ([name, value]) => Object.hasOwn(metadata, name) && String(metadata[name]) === value,
  );
}

/** Whether a text has another one somewhere, without case. */
export function includes(text: string, wanted: string): boolean {
  return caseless(text).includes(caseless(wanted));
}
