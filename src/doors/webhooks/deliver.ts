import { type ConversationLog, EVERY_TENANT, type LogEntry } from '../../conversation/log/log.ts';
import type { Place, Settlement, StoredWebhook, WebhookStore } from '../../conversation/webhooks/store.ts';
import { readEvent } from '../../protocol/read-event.ts';
import type { Delivery } from '../../protocol/webhooks.ts';
import { copiesIn, timeOf } from './entries.ts';
import type { Answered, Outgoing } from './sender.ts';

export interface DeliveryParts {
  store: WebhookStore;
  log: Pick<ConversationLog, 'readOn' | 'isTerminated'>;
  send: (message: Outgoing, signal: AbortSignal) => Promise<Answered>;
  /** Waits while others have more need of the processor. */
  yields: (signal: AbortSignal) => Promise<void>;
  /** The secrets of a webhook that sign now. */
  secretsOf: (webhook: StoredWebhook) => readonly string[];
  /** Milliseconds before each further try. */
  retryDelays: readonly number[];
  /** How long a place is in this hand without another word, in milliseconds; longer than a try takes. */
  leaseMs: number;
  now: () => number;
  tell: (what: DeliveryHappening) => void;
}

/** What happens to deliveries, for those who count and write it down. */
export interface DeliveryHappening {
  type: 'delivered' | 'retried' | 'failed' | 'disabled';
  webhookId: string;
  delivery: Delivery;
  /** From the event until it was told, in milliseconds; undefined where it was not. */
  lagMs: number | undefined;
}

const PAGE = 50;
const GONE = 410;

/**
 * Tells a webhook, in order, what happened in a conversation behind a place, until there is nothing more, a try fails, or
 * the place is in another's hand. Whatever is killed here, the next hand begins with the event that was not answered.
 */
export async function deliverFrom(
  parts: DeliveryParts,
  hand: string,
  place: Place,
  webhook: StoredWebhook,
  signal: AbortSignal,
): Promise<void> {
  const { store, log, now, leaseMs } = parts;
  let { position, tries } = place;
  const settle = (settlement: Settlement, delivery?: Delivery): Promise<boolean> =>
    store.settle(hand, place, settlement, delivery);
  for (;;) {
    const entries = await log.readOn(place.conversationId, position, PAGE);
    if (entries.length === 0) {
      // An end that came in between is told by the feed.
      const isTerminated = await log.isTerminated(place.conversationId);
      if (isTerminated === undefined) return void (await settle({ type: 'gone' }));
      return void (await settle({ type: isTerminated ? 'over' : 'resting', position }));
    }
    for (const entry of entries) {
      // A copy in a fork.
      if (entry.seq <= position) continue;
      const copies = copiesIn(entry);
      if (copies === 'all') return void (await settle({ type: 'gone' }));
      let delivery: Delivery | undefined;
      if (isTold(webhook, entry)) {
        await parts.yields(signal);
        if (signal.aborted) return void (await settle({ type: 'retrying', position, tries, at: 0 }));
        const tried = await attempt(parts, webhook, place, entry, tries, signal);
        if (tried === 'left') return void (await settle({ type: 'retrying', position, tries, at: 0 }));
        delivery = tried.delivery;
        if (tried.isGone) return void (await settle({ type: 'gone' }, delivery));
        if (tried.at !== undefined) {
          return void (await settle(
            { type: 'retrying', position, tries: tries + 1, at: tried.at },
            delivery,
          ));
        }
      }
      tries = 0;
      position = entry.seq + copies;
      if (!delivery && entry !== entries.at(-1)) continue;
      if (!(await settle({ type: 'moved', position, until: now() + leaseMs }, delivery))) return;
    }
  }
}

/** How a try went. */
interface Tried {
  delivery: Delivery;
  /** When it is tried again; undefined where it was delivered, or was the last in vain. */
  at: number | undefined;
  /** Nobody is there any more, and the webhook is disabled. */
  isGone: boolean;
}

/** One try; `left`: it was broken off here. */
async function attempt(
  { store, send, secretsOf, retryDelays, now, tell }: DeliveryParts,
  webhook: StoredWebhook,
  { conversationId }: Place,
  entry: LogEntry,
  triesBefore: number,
  signal: AbortSignal,
): Promise<Tried | 'left'> {
  const event = readEvent(entry.json);
  const id = messageId(conversationId, entry.seq);
  const body = JSON.stringify({ type: event.type, timestamp: event.at, data: { conversationId, event } });
  const startedAt = now();
  const { status, error } = await sendSigned(send, secretsOf, webhook, { id, body }, signal);
  if (status === null && signal.aborted) return 'left';
  const isGone = status === GONE;
  const isDelivered = status !== null && status >= 200 && status < 300;
  const delay = isDelivered || isGone ? undefined : retryDelays[triesBefore];
  const at = delay === undefined ? undefined : now() + delay;
  const delivery: Delivery = {
    id,
    conversationId,
    seq: entry.seq,
    type: event.type,
    status: isDelivered ? 'delivered' : at === undefined ? 'failed' : 'retrying',
    attempts: triesBefore + 1,
    lastAttemptAt: new Date(startedAt).toISOString(),
    nextAttemptAt: at === undefined ? null : new Date(at).toISOString(),
    responseStatus: status,
    error: isDelivered ? null : (error ?? `answered with ${status}`),
  };
  const type = isDelivered ? 'delivered' : isGone ? 'disabled' : at === undefined ? 'failed' : 'retried';
  const lagMs = isDelivered ? Math.max(0, now() - Date.parse(event.at)) : undefined;
  tell({ type, webhookId: webhook.id, delivery, lagMs });
  if (isGone) {
    const current = await store.get(EVERY_TENANT, webhook.id);
    if (current) await store.replace({ ...current, status: 'disabled' });
  }
  return { delivery, at, isGone };
}

/** @returns an answer of no status where the secrets can't be read */
export async function sendSigned(
  send: DeliveryParts['send'],
  secretsOf: DeliveryParts['secretsOf'],
  webhook: StoredWebhook,
  message: { id: string; body: string },
  signal: AbortSignal,
): Promise<Answered> {
  let secrets: readonly string[];
  try {
    secrets = secretsOf(webhook);
  } catch {
    return { status: null, error: 'its secret can not be read: WEBHOOKS_SECRET_KEY is another' };
  }
  return await send({ ...message, url: webhook.url, secrets }, signal);
}

/** The same on every try, and for every webhook. */
function messageId(conversationId: string, seq: number): string {
  return `msg_${conversationId}_${seq}`;
}

/** Whether a webhook asked for an event, and for what happened then. */
function isTold({ events, since }: StoredWebhook, entry: LogEntry): boolean {
  if (!events.includes('*') && !events.includes(entry.type)) return false;
  return timeOf(entry) >= since;
}
