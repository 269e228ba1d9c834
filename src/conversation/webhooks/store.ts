import type { Delivery } from '../../protocol/webhooks.ts';
import type { TenantScope } from '../log/log.ts';

/** A webhook as it is kept. */
export interface StoredWebhook {
  id: string;
  tenant: string;
  url: string;
  events: readonly string[];
  /** The one conversation that it is told of; null where it is all of the tenant's. */
  conversationId: string | null;
  status: 'active' | 'disabled';
  createdAt: string;
  /** It is told what happened then and later: since it was made, or since a replay that began earlier. */
  since: string;
  /** Sealed; the newest first. All that have not run out sign. */
  secrets: readonly { sealed: string; until: string | null }[];
}

/** A conversation's log has grown, and a webhook is to be told of it. */
export interface Grown {
  webhookId: string;
  conversationId: string;
  /** The events that are new. */
  from: number;
  seq: number;
}

/** Where a webhook is to go on in a conversation, in the hands of one instance for a while. */
export interface Place {
  webhookId: string;
  conversationId: string;
  /** The seq of the last event that is done with. */
  position: number;
  /** How often the event behind it was tried in vain. */
  tries: number;
}

/**
 * What became of a place. `moved`: it is still in these hands, further on. `resting`: there is nothing more, unless the
 * log has grown. `over`: the conversation has ended and all was told, so that the place goes as soon as the feed has told
 * of all that as well. `retrying`: again at `at`. `gone`: nothing will ever come.
 */
export type Settlement =
  | { type: 'moved'; position: number; until: number }
  | { type: 'resting' | 'over'; position: number }
  | { type: 'retrying'; position: number; tries: number; at: number }
  | { type: 'gone' };

/** What is still to be told again: everything since a time, of conversations from a cursor on. */
export interface Replay {
  webhookId: string;
  since: string;
  /** Of the catalog; null at its beginning. */
  cursor: string | null;
  /** Whether what was delivered is delivered again; else only what was missed is. */
  again: boolean;
}

/**
 * PORT: webhooks, how far each is in which conversation, and what became of deliveries; shared by all instances. What is
 * claimed is in one hand until its lease runs out, so that whatever is killed goes on elsewhere. Times are milliseconds
 * since 1970. All verbs throw AppError `overloaded` as the log's do.
 */
export interface WebhookStore {
  /** `full`: the tenant has MOST_WEBHOOKS. */
  create(webhook: StoredWebhook): Promise<'created' | 'full'>;
  get(tenant: TenantScope, id: string): Promise<StoredWebhook | undefined>;
  /** Those of a tenant, or of all, in the order of their ids. */
  list(tenant: TenantScope): Promise<StoredWebhook[]>;
  /** Puts another in its place; false where there is none any more. */
  replace(webhook: StoredWebhook): Promise<boolean>;
  /** Removes it with all that it keeps; false where the tenant had none. */
  delete(tenant: TenantScope, id: string): Promise<boolean>;

  /**
   * Takes the feed into one hand, or keeps it there.
   *
   * @returns where to read on, undefined before the first time; null where it is in another's hand
   */
  holdFeed(hand: string, now: number, until: number): Promise<string | undefined | null>;
  /**
   * Notes what was read of the feed, as one: where logs have grown, which conversations are gone, and the cursor. False
   * where the feed is in another's hand meanwhile, and nothing was noted.
   */
  noteFeed(
    hand: string,
    cursor: string,
    grown: readonly Grown[],
    removed: readonly string[],
  ): Promise<boolean>;
  /**
   * Has a webhook go on with the events of a conversation: with all of them `again`, whatever it had of them, or only with
   * what it has not had.
   */
  goBack(told: Grown, again: boolean): Promise<void>;

  /** Replays that are not done, one at most for each webhook; the newest counts. */
  replays(): Promise<Replay[]>;
  saveReplay(replay: Replay): Promise<void>;
  endReplay(webhookId: string): Promise<void>;

  /**
   * Takes places that are due into a hand, those that are due longest first.
   *
   * @param most how many, for each webhook that is active
   */
  claim(hand: string, now: number, until: number, most: ReadonlyMap<string, number>): Promise<Place[]>;
  /**
   * False where the place is in another's hand, or gone.
   *
   * @param delivery what it comes from, which is noted with it in either case
   */
  settle(hand: string, place: Place, settlement: Settlement, delivery?: Delivery): Promise<boolean>;
  /** When the next place of those webhooks is due; undefined where none waits. */
  nextDue(webhookIds: readonly string[]): Promise<number | undefined>;

  /** Notes a delivery under its id; the last KEPT_DELIVERIES of a webhook are kept. */
  noteDelivery(webhookId: string, delivery: Delivery): Promise<void>;
  /** Newest first. */
  deliveries(webhookId: string): Promise<Delivery[]>;
}

export const MOST_WEBHOOKS = 100;
export const KEPT_DELIVERIES = 50;
