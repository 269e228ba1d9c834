import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EVERY_TENANT } from '../../conversation/log/log.ts';
import type { StoredWebhook } from '../../conversation/webhooks/store.ts';
import { type DeliveryParts, deliverFrom, sendSigned } from './deliver.ts';
import { goOnWithReplays, type ScanParts, scanFeed } from './scan.ts';

export interface DispatcherParts extends DeliveryParts, ScanParts {
  /** Something went wrong that is tried again. */
  onTrouble: (error: unknown) => void;
}

/** Messages that a webhook is sent at the same time, each of another conversation; one that hangs takes no more. */
const AT_ONCE = 8;
/** How often it is looked for what other instances left, in milliseconds. */
const LOOK_EVERY_MS = 1000;
/** What is between two looks at a feed that has more and more, in milliseconds. */
const GATHER_MS = 20;
/** While there is no webhook. */
const LOOK_SELDOM_MS = 2000;

/**
 * Has webhooks be told. Two loops: one reads the feed and notes what is to be told, one tells it. All that they know is
 * in the store, so that any instance goes on with it whatever is killed.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #hand = randomUUID();
  readonly #closing = new AbortController();
  readonly #underWay = new Map<string, Set<Promise<void>>>();
  #loops: Promise<unknown> | undefined;
  #woken = Promise.withResolvers<void>();

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loops ??= Promise.all([this.#forever(() => this.#scan()), this.#forever(() => this.#deliver())]);
  }

  /** There may be something to do. */
  wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers<void>();
  }

  /** Sends a message that says nothing but that it came; once. */
  test(webhook: StoredWebhook): void {
    this.#track(webhook.id, this.#sendTest(webhook));
  }

  /** Breaks off what is on its way; it is sent again from where it was. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.wake();
    await this.#loops;
    await Promise.allSettled([...this.#underWay.values()].flatMap((some) => [...some]));
  }

  async #forever(step: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await step();
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.onTrouble(error);
        await this.#pause(LOOK_EVERY_MS);
      }
    }
  }

  async #scan(): Promise<void> {
    const { feed, store, leaseMs, now } = this.#parts;
    const { outcome, cursor } = await scanFeed(this.#parts, this.#hand, now() + leaseMs);
    if (outcome === 'elsewhere') return await this.#pause(LOOK_EVERY_MS);
    if (await goOnWithReplays(this.#parts)) return this.wake();
    if (outcome === 'noted') {
      this.wake();
      // Of a busy moment much is noted as one.
      await delay(GATHER_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
      return;
    }
    if ((await store.list(EVERY_TENANT)).length === 0) return await this.#pause(LOOK_SELDOM_MS);
    // Not for long: replays come without the feed, and the feed is to stay in this hand.
    const enough = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LOOK_SELDOM_MS)]);
    await feed.more(cursor, enough).catch((error: unknown) => {
      if (!enough.aborted) throw error;
    });
  }

  async #deliver(): Promise<void> {
    const { store, now, leaseMs } = this.#parts;
    // From before anything is looked at: what comes meanwhile is not missed.
    const woken = this.#woken.promise;
    const active = (await store.list(EVERY_TENANT)).filter(({ status }) => status === 'active');
    const free = new Map(
      active.flatMap(({ id }): [string, number][] => {
        const left = AT_ONCE - (this.#underWay.get(id)?.size ?? 0);
        return left > 0 ? [[id, left]] : [];
      }),
    );
    const places = await store.claim(this.#hand, now(), now() + leaseMs, free);
    const byId = new Map(active.map((webhook) => [webhook.id, webhook]));
    for (const place of places) {
      const webhook = byId.get(place.webhookId);
      if (!webhook) continue;
      const work = deliverFrom(this.#parts, this.#hand, place, webhook, this.#closing.signal);
      this.#track(webhook.id, work);
    }
    if (places.length > 0) return;
    const due = await store.nextDue([...free.keys()]);
    const wait = due === undefined ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, Math.max(0, due - now()));
    await this.#pause(wait, woken);
  }

  #track(webhookId: string, work: Promise<void>): void {
    const some = this.#underWay.get(webhookId) ?? new Set();
    this.#underWay.set(webhookId, some);
    const done = work
      .catch((error: unknown) => {
        // The lease runs out, and it is tried again.
        this.#parts.onTrouble(error);
      })
      .finally(() => {
        some.delete(done);
        if (some.size === 0) this.#underWay.delete(webhookId);
        this.wake();
      });
    some.add(done);
  }

  async #sendTest(webhook: StoredWebhook): Promise<void> {
    const { send, secretsOf, store, now } = this.#parts;
    const id = `msg_test_${randomUUID()}`;
    const timestamp = new Date(now()).toISOString();
    const type = 'webhook.test';
    const body = JSON.stringify({ type, timestamp, data: { webhookId: webhook.id } });
    const { status, error } = await sendSigned(send, secretsOf, webhook, { id, body }, this.#closing.signal);
    const isDelivered = status !== null && status >= 200 && status < 300;
    await store.noteDelivery(webhook.id, {
      id,
      conversationId: null,
      seq: null,
      type,
      status: isDelivered ? 'delivered' : 'failed',
      attempts: 1,
      lastAttemptAt: timestamp,
      nextAttemptAt: null,
      responseStatus: status,
      error: isDelivered ? null : (error ?? `answered with ${status}`),
    });
  }

  async #pause(milliseconds: number, woken: Promise<void> = this.#woken.promise): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#closing.signal]);
    await Promise.race([woken, delay(milliseconds, undefined, { signal }).catch(() => {})]);
    over.abort();
  }
}
