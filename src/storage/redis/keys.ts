import { createHash } from 'node:crypto';
import { liveChannel } from '../../live/messages.ts';

/** What all keys and channels of a platform begin with. */
export const PLATFORM_PREFIX = 'aic';

/** The keys of one conversation. What stands in braces puts them on the same node of a cluster. */
export interface ConversationKeys {
  /** A stream: the entry `SEQ-0` is the event with that seq, with its type and JSON. */
  log: string;
  /** A hash: what is derived from the log in the same script as each append. */
  row: string;
  /** Stands for a minute where a conversation was that must not come back. */
  tombstone: string;
  /** The pub/sub channel of what is appended, as the live side's messages. */
  channel: string;
}

export function conversationKeys(prefix: string, conversationId: string): ConversationKeys {
  const name = `{${prefix}:conversation:${conversationId}}`;
  return {
    log: `${name}:log`,
    row: `${name}:row`,
    tombstone: `${name}:tombstone`,
    channel: liveChannel(prefix, conversationId),
  };
}

/** The keys of the feed over all conversations, on one node of a cluster. */
export function feedKeys(prefix: string): { entries: string; intended: string } {
  const name = `{${prefix}:feed}`;
  return {
    /** A stream, bounded. */
    entries: `${name}:entries`,
    /** On a cluster, a sorted set: the changes that are about to be made, by the time of it. */
    intended: `${name}:intended`,
  };
}

/** The name of the claim that a client's idempotency key makes; it tells nothing of the key. */
export function claimName(idempotencyKey: string): string {
  return createHash('sha256').update(idempotencyKey).digest('hex');
}

/** The key of a claim: a hash that says which conversation it stands for. */
export function claimKey(prefix: string, claim: string): string {
  return `${prefix}:idempotency:${claim}`;
}

/** The indexes, each a sorted set on its own. */
export const indexKeys = {
  all: (prefix: string) => `${prefix}:index:all`,
  unfinished: (prefix: string) => `${prefix}:index:unfinished`,
  tenant: (prefix: string, tenant: string) => `${prefix}:index:tenant:${tenant}`,
  provider: (prefix: string, provider: string) => `${prefix}:index:provider:${provider}`,
  label: (prefix: string, name: string, value: string) =>
    `${prefix}:index:label:${JSON.stringify([name, value])}`,
  trigram: (prefix: string, trigram: string) => `${prefix}:index:topic:${trigram}`,
  longTopics: (prefix: string) => `${prefix}:index:long-topics`,
};
