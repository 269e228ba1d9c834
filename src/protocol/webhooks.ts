import { z } from 'zod';
import { conversationEvent } from './events.ts';
import { count, seq, time } from './fields.ts';
import { limit } from './requests.ts';

/** What is told by Standard Webhooks; docs/protocol.md, section 12. */

const MOST_URL = 2000;
const MOST_EVENTS = 50;
const URL_TAKES = `takes an http or https address of at most ${MOST_URL} characters, without a name or password in it`;
const EVENT_TYPES = new Set(conversationEvent.options.map(({ shape }) => shape.type.value as string));
const SECRET_TAKES = 'takes whsec_ and the base64 of 24 to 64 bytes';

/** An address that a user gives; where it leads is looked at when it becomes a connection. */
const address = z.string(URL_TAKES).refine((value) => {
  const url = value.length <= MOST_URL ? URL.parse(value) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}, URL_TAKES);

const eventType = z
  .string()
  .refine((type) => type === '*' || EVENT_TYPES.has(type), 'is no type of an event, nor * for all');

const secret = z.string(SECRET_TAKES).refine((value) => {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? [];
  if (base64 === undefined || base64.length % 4 !== 0) return false;
  const bytes = (base64.length / 4) * 3 - (base64.length - base64.replace(/=+$/, '').length);
  return bytes >= 24 && bytes <= 64;
}, SECRET_TAKES);

/** The body of POST /webhooks. */
export const webhookRequest = z
  .strictObject({
    url: address,
    events: z
      .array(eventType, 'takes types of events, or ["*"] for all')
      .min(1, 'takes at least one type, or ["*"] for all')
      .max(MOST_EVENTS, `takes at most ${MOST_EVENTS} types`),
    conversationId: z.string().max(64).nullish(),
    secret: secret.nullish(),
  })
  .meta({
    id: 'CreateWebhook',
    examples: [{ url: 'https://example.com/hook', events: ['conversation.terminated'] }],
  });

/** The body of POST /webhooks/{id}/replay. */
export const replayRequest = z.strictObject({
  since: z.iso
    .datetime({ offset: true, error: 'takes a time such as 2026-01-31T12:00:00.000Z' })
    .transform((value) => new Date(value)),
});

/** The body of POST /webhooks/{id}/test and /rotate, which says nothing. */
export const emptyRequest = z.strictObject({}).optional();

const delivery = z.object({
  /** The `webhook-id` that it is sent under. */
  id: z.string(),
  conversationId: z.string().nullable(),
  seq: seq.nullable(),
  type: z.string(),
  /** `retrying`: it failed, and is tried again at `nextAttemptAt`. */
  status: z.enum(['delivered', 'retrying', 'failed']),
  attempts: count,
  lastAttemptAt: time,
  nextAttemptAt: time.nullable(),
  /** What the last try was answered with; null where it was not. */
  responseStatus: z.number().int().nullable(),
  error: z.string().nullable(),
});

const webhook = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    conversationId: z.string().nullable(),
    status: z.enum(['active', 'disabled']),
    createdAt: time,
  })
  .meta({ id: 'Webhook' });

/** With the secret, which is told this once. */
export const madeWebhook = webhook.extend({ secret: z.string() }).meta({ id: 'MadeWebhook' });
export const webhookWithDeliveries = webhook
  .extend({ deliveries: z.array(delivery) })
  .meta({ id: 'WebhookWithDeliveries', description: 'With the last deliveries, newest first.' });
export const webhookList = z.object({ items: z.array(webhook), nextCursor: z.string().nullable() });
export const webhooksQuery = z.object({ limit, cursor: z.string().optional() });

export type WebhookRequest = z.input<typeof webhookRequest>;
export type Webhook = z.infer<typeof webhook>;
export type MadeWebhook = z.infer<typeof madeWebhook>;
export type WebhookWithDeliveries = z.infer<typeof webhookWithDeliveries>;
export type Delivery = z.infer<typeof delivery>;
