import type { ConversationFeed, FeedEntry } from '../../conversation/log/feed.ts';
import { type ConversationCatalog, type ConversationLog, EVERY_TENANT } from '../../conversation/log/log.ts';
import type { Grown, Replay, StoredWebhook, WebhookStore } from '../../conversation/webhooks/store.ts';
import { copiesIn, timeOf } from './entries.ts';

export interface ScanParts {
  store: WebhookStore;
  feed: ConversationFeed;
  log: Pick<ConversationLog, 'readOn' | 'isTerminated'>;
  catalog: Pick<ConversationCatalog, 'get' | 'list'>;
  now: () => number;
}

/** What came of one look at the feed. `elsewhere`: it is in another's hand. `idle`: nothing was new. */
export interface Scan {
  outcome: 'elsewhere' | 'idle' | 'noted';
  /** Where the feed was read to. */
  cursor: string;
}

const PAGE = 500;
const REPLAY_PAGE = 50;

/**
 * Reads on in the feed over all conversations, and notes for each webhook where it is to go on. One instance at a time
 * does it, and any goes on where it was.
 *
 * @param until how long the feed is in this hand without another word
 */
export async function scanFeed({ store, feed, now }: ScanParts, hand: string, until: number): Promise<Scan> {
  const kept = await store.holdFeed(hand, now(), until);
  if (kept === null) return { outcome: 'elsewhere', cursor: '' };
  const at = new Date(now()).toISOString();
  if (kept === undefined) {
    const cursor = await feed.end();
    await store.noteFeed(hand, `${at} ${cursor}`, [], []);
    return { outcome: 'noted', cursor };
  }
  const [lastLook = at, cursor = ''] = kept.split(' ');
  const page = await feed.read(cursor, PAGE);
  if (page.entries.length === 0 && !page.behind) return { outcome: 'idle', cursor };
  // Behind the page: whoever was made before something happened is among them.
  const webhooks = (await store.list(EVERY_TENANT)).filter(({ status }) => status === 'active');
  if (page.behind) {
    for (const { id } of webhooks) {
      await store.saveReplay({ webhookId: id, since: lastLook, cursor: null, again: false });
    }
  }
  const removed = page.entries.flatMap((entry) => (entry.kind === 'removed' ? [entry.id] : []));
  const noted = await store.noteFeed(hand, `${at} ${page.cursor}`, grownFor(webhooks, page.entries), removed);
  return { outcome: noted ? 'noted' : 'elsewhere', cursor: page.cursor };
}

/** Whom what grew is told; of each conversation once, whatever came of it in that page. */
function grownFor(webhooks: readonly StoredWebhook[], entries: readonly FeedEntry[]): Grown[] {
  const grown = new Map<string, Extract<FeedEntry, { kind: 'grown' }>>();
  for (const entry of entries) {
    if (entry.kind !== 'grown') continue;
    const { from, seq } = grown.get(entry.id) ?? entry;
    grown.set(entry.id, { ...entry, from: Math.min(from, entry.from), seq: Math.max(seq, entry.seq) });
  }
  return [...grown.values()].flatMap(({ tenant, id: conversationId, from, seq }) =>
    webhooks
      .filter((webhook) => tenant === webhook.tenant && isOf(webhook.conversationId, conversationId))
      .map(({ id }) => ({ webhookId: id, conversationId, from, seq })),
  );
}

function isOf(wanted: string | null, id: string): boolean {
  return wanted === null || wanted === id;
}

/** Goes on with each replay by a page of conversations. False where there is none. */
export async function goOnWithReplays(parts: ScanParts): Promise<boolean> {
  const replays = await parts.store.replays();
  for (const replay of replays) await goOnWith(parts, replay);
  return replays.length > 0;
}

async function goOnWith({ store, catalog, log }: ScanParts, replay: Replay): Promise<void> {
  const { webhookId, since, cursor, again } = replay;
  const webhook = await store.get(EVERY_TENANT, webhookId);
  if (!webhook) return await store.endReplay(webhookId);
  const page = webhook.conversationId
    ? { items: await oneOf(catalog, webhook), nextCursor: null }
    : await catalog.list(webhook.tenant, {}, { limit: REPLAY_PAGE, ...(cursor === null ? {} : { cursor }) });
  for (const { id, endedAt, lastSeq } of page.items) {
    if (endedAt !== null && endedAt < since) continue;
    const [first] = await log.readOn(id, 0, 1);
    if (!first || copiesIn(first) === 'all') continue;
    // A fork's copies have times before its first event's, and are passed over behind that.
    const position = timeOf(first) >= since ? 0 : await lastBefore(log, id, lastSeq, since);
    if (position >= lastSeq) continue;
    await store.goBack({ webhookId, conversationId: id, from: position + 1, seq: lastSeq }, again);
  }
  if (page.nextCursor === null) await store.endReplay(webhookId);
  else await store.saveReplay({ ...replay, cursor: page.nextCursor });
}

async function oneOf(catalog: ScanParts['catalog'], { tenant, conversationId }: StoredWebhook) {
  const record = await catalog.get(tenant, conversationId ?? '');
  return record ? [record] : [];
}

/** The seq of the last event before a time; 0 where all are later. Times never go back within a log but by clocks. */
async function lastBefore(
  log: ScanParts['log'],
  id: string,
  lastSeq: number,
  since: string,
): Promise<number> {
  let [before, from] = [0, lastSeq + 1];
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    const [entry] = await log.readOn(id, middle - 1, 1);
    if (entry && timeOf(entry) < since) before = middle;
    else from = middle;
  }
  return before;
}
