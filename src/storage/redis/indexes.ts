import { caseless } from '../../conversation/log/caseless.ts';
import { type ConversationFilter, EVERY_TENANT, type TenantScope } from '../../conversation/log/log.ts';
import type { ConversationSettings } from '../../conversation/log/settings.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import type { RedisClient } from './connection.ts';
import { indexKeys } from './keys.ts';

// An index is a sorted set whose entries, all with score 0, sort as texts: the time of creation, then the id. It
// lies on another node of a cluster than the conversations do, so that both can't be written as one. Therefore an
// index may have too many entries but never too few: it is added to before the conversation's own script and
// removed from after it, and whoever reads it looks at the conversation itself.

/** UTF-16 units. */
const INDEXED_UNITS = 3;
/** A topic with more trigrams than this is not indexed by them; it is looked at in every search. */
const MAX_TRIGRAMS = 128;
const TIME_DIGITS = 12;
const LAST_TIME = 16 ** TIME_DIGITS - 1;

/** The entry of a conversation in every index that has it. */
export function entryOf(conversationId: string, createdAt: Date): string {
  return `${hex(createdAt.getTime())}-${conversationId}`;
}

export function idOf(entry: string): string {
  return entry.slice(TIME_DIGITS + 1);
}

/** Milliseconds since 1970. */
export function timeOf(entry: string): number {
  return Number.parseInt(entry.slice(0, TIME_DIGITS), 16);
}

function hex(milliseconds: number): string {
  const time = Math.min(Math.max(0, milliseconds), LAST_TIME);
  return time.toString(16).padStart(TIME_DIGITS, '0');
}

/** All indexes that have a conversation, besides that of the unfinished ones. */
export function indexesOf(
  prefix: string,
  tenant: string,
  { topic, agents, metadata }: ConversationSettings,
): string[] {
  const providers = new Set(agents.map(({ provider }) => provider));
  const trigrams = trigramsOf(topic);
  return [
    indexKeys.all(prefix),
    // Before there were others all were the default one's.
    ...(tenant === DEFAULT_TENANT ? [] : [indexKeys.tenant(prefix, tenant)]),
    ...Object.entries(metadata).map(([name, value]) => indexKeys.label(prefix, name, String(value))),
    ...[...providers].map((provider) => indexKeys.provider(prefix, provider)),
    ...(trigrams.size > MAX_TRIGRAMS
      ? [indexKeys.longTopics(prefix)]
      : [...trigrams].map((trigram) => indexKeys.trigram(prefix, trigram))),
  ];
}

function trigramsOf(text: string): Set<string> {
  const folded = caseless(text);
  const trigrams = new Set<string>();
  for (let at = 0; at + INDEXED_UNITS <= folded.length; at++) {
    trigrams.add(folded.slice(at, at + INDEXED_UNITS));
  }
  return trigrams;
}

/** The indexes that together have everything a filter can find, and as little else as possible. */
export async function indexesFor(
  client: RedisClient,
  prefix: string,
  tenant: TenantScope,
  { status, provider, q, labels = {} }: ConversationFilter,
): Promise<string[]> {
  const choices: string[][] = Object.entries(labels).map(([name, value]) => [
    indexKeys.label(prefix, name, value),
  ]);
  if (tenant !== EVERY_TENANT && tenant !== DEFAULT_TENANT) choices.push([indexKeys.tenant(prefix, tenant)]);
  if (status !== undefined && status !== 'terminated') choices.push([indexKeys.unfinished(prefix)]);
  if (provider !== undefined) choices.push([indexKeys.provider(prefix, provider)]);
  for (const trigram of q === undefined ? [] : trigramsOf(q)) {
    choices.push([indexKeys.trigram(prefix, trigram), indexKeys.longTopics(prefix)]);
  }
  const [first] = choices;
  if (!first) return [indexKeys.all(prefix)];
  if (choices.length === 1) return first;
  const sizes = await Promise.all(
    choices.map(async (keys) => {
      const counts = await Promise.all(keys.map((key) => client.zcard(key)));
      return counts.reduce((sum, count) => sum + count, 0);
    }),
  );
  return choices[sizes.indexOf(Math.min(...sizes))] ?? first;
}

/** Which part of an index is wanted: entries after and before, both excluded. */
export interface Span {
  after: string | undefined;
  before: string | undefined;
}

/** The span of the conversations that a filter's times and a page's beginning leave. */
export function spanOf(
  { createdAfter, createdBefore }: Pick<ConversationFilter, 'createdAfter' | 'createdBefore'>,
  before: string | undefined,
): Span {
  // Behind the time stands '-', and '.' is the character after it.
  const after = createdAfter && `${hex(createdAfter.getTime())}.`;
  const until = createdBefore && hex(createdBefore.getTime());
  return { after, before: until === undefined || (before !== undefined && before < until) ? before : until };
}

/** The newest entries of several indexes within a span, each once, newest first. */
export async function newest(
  client: RedisClient,
  keys: readonly string[],
  { after, before }: Span,
  count: number,
): Promise<string[]> {
  const max = before === undefined ? '+' : `(${before}`;
  const min = after === undefined ? '-' : `(${after}`;
  const found = await Promise.all(keys.map((key) => client.zrevrangebylex(key, max, min, 'LIMIT', 0, count)));
  if (found.length === 1) return found[0] ?? [];
  return [...new Set(found.flat())].sort().reverse().slice(0, count);
}
