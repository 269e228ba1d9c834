import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { ConversationFeed } from '../../conversation/log/feed.ts';
import type { ConversationCatalog, ConversationLog, TenantScope } from '../../conversation/log/log.ts';
import { MOST_WEBHOOKS, type StoredWebhook, type WebhookStore } from '../../conversation/webhooks/store.ts';
import { AppError, invalid, notFound } from '../../errors.ts';
import type { MadeWebhook, Webhook, WebhookWithDeliveries } from '../../protocol/webhooks.ts';
import { AddressRefused, guardAddresses } from '../../security/outgoing.ts';
import type { Secret } from '../../security/secrets.ts';
import { Vault } from '../../security/vault.ts';
import type { DeliveryHappening } from './deliver.ts';
import { Dispatcher } from './dispatcher.ts';
import { Sender } from './sender.ts';
import { yieldingToConversations } from './yielding.ts';

const SECRET_BYTES = 32;
/** Both the old and the new secret sign for this long: 24 hours, in milliseconds. */
const ROTATION_MS = 24 * 60 * 60 * 1000;
/**
 * A place is in one hand for so many times of what a try takes, and for so many milliseconds more, without another word: a
 * busy server, or storage that is away for a while, has nobody else begin the same. At 15 s it is 40 s.
 */
const LEASE = { tries: 2.5, moreMs: 2500 };
const PURPOSE = 'webhooks';

export interface WebhooksParts {
  store: WebhookStore;
  feed: ConversationFeed;
  log: ConversationLog;
  catalog: ConversationCatalog;
  /** Encrypts secrets; undefined where none is configured and none can be made, which refuses new webhooks. */
  key: Secret | undefined;
  allowPrivate: boolean;
  /** Milliseconds. */
  retryDelays: readonly number[];
  /** What a try takes at most, connection and all, in milliseconds. */
  answerMs: number;
  onHappening: (what: DeliveryHappening) => void;
  onTrouble: (error: unknown) => void;
}

/** What a webhook is made of. */
interface Wanted {
  tenant: string;
  url: string;
  events: readonly string[];
  conversationId: string | null;
  secret: string | undefined;
}

/** The webhooks of a server: what is asked of them, and what has them be told; docs/protocol.md, section 12. */
export class Webhooks {
  readonly #store: WebhookStore;
  readonly #vault: Vault | undefined;
  readonly #guard: ReturnType<typeof guardAddresses>;
  readonly #sender: Sender;
  readonly #dispatcher: Dispatcher;

  constructor(parts: WebhooksParts) {
    const { store, feed, log, catalog, key, retryDelays, answerMs, onHappening, onTrouble } = parts;
    this.#store = store;
    this.#vault = key && new Vault(key, PURPOSE);
    this.#guard = guardAddresses(parts.allowPrivate);
    this.#sender = new Sender(this.#guard, answerMs);
    this.#dispatcher = new Dispatcher({
      store,
      feed,
      log,
      catalog,
      retryDelays,
      onTrouble,
      leaseMs: answerMs * LEASE.tries + LEASE.moreMs,
      now: Date.now,
      yields: yieldingToConversations(),
      tell: onHappening,
      send: (message, signal) => this.#sender.send(message, signal),
      secretsOf: (webhook) => this.#secretsOf(webhook),
    });
    this.#dispatcher.start();
  }

  /**
   * Makes a webhook, which is told of what happens from now on.
   *
   * @throws AppError `validation_failed` where its address leads to where it may not; `conflict` where no more are kept,
   * or no key is there to keep its secret by
   */
  async create({ tenant, url, events, conversationId, secret = newSecret() }: Wanted): Promise<MadeWebhook> {
    const id = uuidv7();
    const sealed = this.#seal(secret, id);
    await this.#assertAllowed(url);
    const createdAt = new Date().toISOString();
    const secrets = [{ sealed, until: null }];
    const status = 'active' as const;
    const made = { id, tenant, url, events, conversationId, status, createdAt, since: createdAt, secrets };
    if ((await this.#store.create(made)) === 'full') {
      throw new AppError('conflict', `At most ${MOST_WEBHOOKS} webhooks are kept: delete one first`);
    }
    this.#dispatcher.wake();
    return { ...shown(made), secret };
  }

  /** Those behind an id, in order. */
  async list(
    tenant: TenantScope,
    limit: number,
    cursor = '',
  ): Promise<{ items: Webhook[]; nextCursor: string | null }> {
    const behind = (await this.#store.list(tenant)).filter(({ id }) => id > cursor);
    const items = behind.slice(0, limit).map(shown);
    return { items, nextCursor: behind.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  async get(tenant: TenantScope, id: string): Promise<WebhookWithDeliveries> {
    const webhook = await this.#find(tenant, id);
    return { ...shown(webhook), deliveries: await this.#store.deliveries(id) };
  }

  async delete(tenant: TenantScope, id: string): Promise<void> {
    if (!(await this.#store.delete(tenant, id))) throw missing();
  }

  async test(tenant: TenantScope, id: string): Promise<void> {
    this.#dispatcher.test(await this.#find(tenant, id));
  }

  /** Has everything since a time be told again, whatever was delivered. */
  async replay(tenant: TenantScope, id: string, since: Date): Promise<void> {
    const webhook = await this.#find(tenant, id);
    const from = since.toISOString();
    if (from < webhook.since) await this.#replace({ ...webhook, since: from });
    await this.#store.saveReplay({ webhookId: id, since: from, cursor: null, again: true });
    this.#dispatcher.wake();
  }

  /** Gives it another secret; the one before it signs, too, for a day. */
  async rotate(tenant: TenantScope, id: string): Promise<MadeWebhook> {
    const webhook = await this.#find(tenant, id);
    const secret = newSecret();
    const until = new Date(Date.now() + ROTATION_MS).toISOString();
    const [last] = webhook.secrets;
    const secrets = [{ sealed: this.#seal(secret, id), until: null }, ...(last ? [{ ...last, until }] : [])];
    await this.#replace({ ...webhook, secrets });
    return { ...shown(webhook), secret };
  }

  async close(): Promise<void> {
    await this.#dispatcher.close();
    await this.#sender.close();
  }

  async #find(tenant: TenantScope, id: string): Promise<StoredWebhook> {
    const webhook = await this.#store.get(tenant, id);
    if (!webhook) throw missing();
    return webhook;
  }

  async #replace(webhook: StoredWebhook): Promise<void> {
    if (!(await this.#store.replace(webhook))) throw missing();
  }

  async #assertAllowed(url: string): Promise<void> {
    try {
      await this.#guard.assertAllowed(url);
    } catch (error) {
      if (!(error instanceof AddressRefused)) throw error;
      throw invalid([{ path: 'url', message: `can not be told: ${error.message}` }]);
    }
  }

  #seal(secret: string, id: string): string {
    if (!this.#vault) {
      throw new AppError(
        'conflict',
        'Set WEBHOOKS_SECRET_KEY on every instance: it encrypts the secrets of webhooks',
      );
    }
    return this.#vault.seal(secret, id);
  }

  #secretsOf({ id, secrets }: StoredWebhook): string[] {
    const vault = this.#vault;
    if (!vault) throw new Error('there is no key');
    const now = new Date().toISOString();
    return secrets
      .filter(({ until }) => until === null || until > now)
      .map(({ sealed }) => vault.open(sealed, id));
  }
}

function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

function shown({ id, url, events, conversationId, status, createdAt }: StoredWebhook): Webhook {
  return { id, url, events: [...events], conversationId, status, createdAt };
}

function missing(): AppError {
  return notFound('There is no webhook with this id');
}
