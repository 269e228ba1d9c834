import { EVERY_TENANT, type TenantScope } from '../../conversation/log/log.ts';
import {
  type Grown,
  KEPT_DELIVERIES,
  MOST_WEBHOOKS,
  type Place,
  type Replay,
  type Settlement,
  type StoredWebhook,
  type WebhookStore,
} from '../../conversation/webhooks/store.ts';
import type { Delivery } from '../../protocol/webhooks.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import { defineScript, type Script } from './scripts.ts';

const SCRIPT = new URL('./scripts/webhooks.lua', import.meta.url);

/** Webhooks of many instances, all on one node of a cluster. */
export class RedisWebhooks implements WebhookStore {
  readonly #client: RedisClient;
  readonly #base: string;
  readonly #script: Script;
  /** Of those that were noted at the same moment, which came later. */
  #noted = 0;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#base = `{${prefix}:webhooks}`;
    this.#script = defineScript(client, 'webhooks', SCRIPT);
  }

  async create(webhook: StoredWebhook): Promise<'created' | 'full'> {
    const { id, tenant } = webhook;
    const made = await this.#do('create', id, tenant, JSON.stringify(webhook), MOST_WEBHOOKS);
    return made === 1 ? 'created' : 'full';
  }

  async get(tenant: TenantScope, id: string): Promise<StoredWebhook | undefined> {
    const json = await answered(this.#client.hget(`${this.#base}:all`, id));
    const webhook = json === null ? undefined : (JSON.parse(json) as StoredWebhook);
    return webhook && (tenant === EVERY_TENANT || webhook.tenant === tenant) ? webhook : undefined;
  }

  async list(tenant: TenantScope): Promise<StoredWebhook[]> {
    return (await this.#jsonOf(tenant))
      .flatMap((json) => (json === null ? [] : [JSON.parse(json) as StoredWebhook]))
      .sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  async replace(webhook: StoredWebhook): Promise<boolean> {
    return (await this.#do('replace', webhook.id, JSON.stringify(webhook))) === 1;
  }

  async delete(tenant: TenantScope, id: string): Promise<boolean> {
    const webhook = await this.get(tenant, id);
    return webhook !== undefined && (await this.#do('delete', id, webhook.tenant)) === 1;
  }

  async holdFeed(hand: string, now: number, until: number): Promise<string | undefined | null> {
    const cursor = await this.#do('hold', hand, now, until);
    if (cursor === 0) return null;
    return cursor === '' ? undefined : (cursor as string);
  }

  async noteFeed(
    hand: string,
    cursor: string,
    grown: readonly Grown[],
    removed: readonly string[],
  ): Promise<boolean> {
    const rows = grown.map(({ webhookId, conversationId, from, seq }) => [
      webhookId,
      conversationId,
      from,
      seq,
    ]);
    return (await this.#do('note', hand, cursor, JSON.stringify(rows), JSON.stringify(removed))) === 1;
  }

  async goBack({ webhookId, conversationId, from, seq }: Grown, again: boolean): Promise<void> {
    await this.#do('go-back', webhookId, conversationId, from - 1, seq, again ? 1 : 0);
  }

  async replays(): Promise<Replay[]> {
    const all = await answered(this.#client.hvals(`${this.#base}:replays`));
    return all.map((json) => JSON.parse(json) as Replay);
  }

  async saveReplay(replay: Replay): Promise<void> {
    await answered(this.#client.hset(`${this.#base}:replays`, replay.webhookId, JSON.stringify(replay)));
  }

  async endReplay(webhookId: string): Promise<void> {
    await answered(this.#client.hdel(`${this.#base}:replays`, webhookId));
  }

  async claim(hand: string, now: number, until: number, most: ReadonlyMap<string, number>): Promise<Place[]> {
    if (most.size === 0) return [];
    const json = (await this.#do('claim', hand, now, until, JSON.stringify([...most]))) as string;
    return (JSON.parse(json) as [string, string, number, number][]).map(
      ([webhookId, conversationId, position, tries]) => ({ webhookId, conversationId, position, tries }),
    );
  }

  async settle(
    hand: string,
    { webhookId, conversationId }: Place,
    settlement: Settlement,
    delivery?: Delivery,
  ): Promise<boolean> {
    const { type } = settlement;
    const position = type === 'gone' ? 0 : settlement.position;
    const tries = type === 'retrying' ? settlement.tries : 0;
    const at = type === 'retrying' ? settlement.at : type === 'moved' ? settlement.until : 0;
    const noted = delivery ? this.#asNoted(delivery) : [];
    const settled = [hand, webhookId, conversationId, type, position, tries, at];
    return (await this.#do('settle', ...settled, ...noted)) === 1;
  }

  async nextDue(webhookIds: readonly string[]): Promise<number | undefined> {
    if (webhookIds.length === 0) return undefined;
    const due = (await this.#do('next', ...webhookIds)) as string;
    return due === '' ? undefined : Number(due);
  }

  async noteDelivery(webhookId: string, delivery: Delivery): Promise<void> {
    await this.#do('deliver', webhookId, ...this.#asNoted(delivery));
  }

  #asNoted(delivery: Delivery): [string, string, number, number] {
    this.#noted = (this.#noted + 1) % 1000;
    const at = Date.parse(delivery.lastAttemptAt) + this.#noted / 1000;
    return [delivery.id, JSON.stringify(delivery), at, KEPT_DELIVERIES];
  }

  async deliveries(webhookId: string): Promise<Delivery[]> {
    const ids = await answered(this.#client.zrevrange(`${this.#base}:order:${webhookId}`, 0, -1));
    if (ids.length === 0) return [];
    const found = await answered(this.#client.hmget(`${this.#base}:deliveries:${webhookId}`, ...ids));
    return found.flatMap((json) => (json === null ? [] : [JSON.parse(json) as Delivery]));
  }

  async #jsonOf(tenant: TenantScope): Promise<(string | null)[]> {
    if (tenant === EVERY_TENANT) return await answered(this.#client.hvals(`${this.#base}:all`));
    const ids = await answered(this.#client.smembers(`${this.#base}:tenant:${tenant}`));
    return ids.length === 0 ? [] : await answered(this.#client.hmget(`${this.#base}:all`, ...ids));
  }

  async #do(verb: string, ...values: (string | number)[]): Promise<unknown> {
    return await answered(this.#script([this.#base], [verb, ...values]));
  }
}
