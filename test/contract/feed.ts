import { beforeEach, describe, expect, it } from 'vitest';
import type { ConversationFeed, FeedEntry } from '../../src/conversation/log/feed.ts';
import { conversation, ENDED_BY_USER, ended, reply, type Storage } from '../fixtures/conversations.ts';

export type FedStorage = Storage & { feed: ConversationFeed };

/** A place of data that a test has for itself; `open` opens it, and closes what was opened before. */
export interface FeedHome {
  open(): FedStorage;
}

const UNHURRIED = new AbortController().signal;

/** Reads on until so many entries came. */
async function readOn(feed: ConversationFeed, after: string, count: number, limit = 1000) {
  const entries: FeedEntry[] = [];
  let cursor = after;
  while (entries.length < count) {
    const page = await feed.read(cursor, limit);
    expect(page.behind).toBe(false);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    entries.push(...page.entries);
    cursor = page.cursor;
    if (page.entries.length === 0) await feed.more(cursor, UNHURRIED);
  }
  return { entries, cursor };
}

function lastSeqOf(entries: readonly FeedEntry[] = []): number {
  const last = entries.at(-1);
  return last?.kind === 'grown' ? last.seq : 0;
}

/** What every backend of the port ConversationFeed has to do. */
export function describeFeed(name: string, prepare: () => FeedHome): void {
  describe(`${name} as the feed over all conversations`, () => {
    let home: FeedHome;
    let storage: FedStorage;
    let start: string;
    beforeEach(async () => {
      home = prepare();
      storage = home.open();
      start = await storage.feed.end();
    });

    async function create(tenant = 'default'): Promise<string> {
      const made = conversation({ tenant });
      await storage.create(made);
      return made.id;
    }

    it('tells what grew, and what was removed, of every tenant', async () => {
      const one = await create();
      const other = await create('acme');
      await storage.addMessage(one, 2, [reply(3)]);
      await storage.addMessage(other, 2, [reply(3), ended(4)]);
      const { entries, cursor } = await readOn(storage.feed, start, 4);
      expect(entries).toHaveLength(4);
      expect(entries.filter(({ id }) => id === one)).toEqual([
        { kind: 'grown', tenant: 'default', id: one, from: 1, seq: 2 },
        { kind: 'grown', tenant: 'default', id: one, from: 3, seq: 3 },
      ]);
      expect(entries.filter(({ id }) => id === other)).toEqual([
        { kind: 'grown', tenant: 'acme', id: other, from: 1, seq: 2 },
        { kind: 'grown', tenant: 'acme', id: other, from: 3, seq: 4 },
      ]);
      await storage.delete(other);
      const { entries: more } = await readOn(storage.feed, cursor, 1);
      expect(more).toEqual([{ kind: 'removed', tenant: 'acme', id: other }]);
    });

    it('tells nothing of what was refused', async () => {
      const id = await create();
      const { cursor } = await readOn(storage.feed, start, 1);
      expect(await storage.addMessage(id, 7, [reply(8)])).toBe('sequence_conflict');
      await storage.delete('01900000-0000-7000-8000-000000000000');
      await storage.markTerminated(id, ENDED_BY_USER);
      const { entries } = await readOn(storage.feed, cursor, 1);
      expect(entries).toEqual([{ kind: 'grown', tenant: 'default', id, from: 3, seq: 3 }]);
    });

    it('is read page by page, and gives nothing twice nor leaves anything out', async () => {
      const ids = await Promise.all(Array.from({ length: 8 }, () => create()));
      await Promise.all(
        ids.map(async (id) => {
          for (let seq = 3; seq <= 12; seq++) await storage.addMessage(id, seq - 1, [reply(seq)]);
        }),
      );
      await storage.delete(ids[0] as string);
      const [removed, ...kept] = ids as [string, ...string[]];
      const told = new Map<string, FeedEntry[]>(ids.map((id) => [id, []]));
      let cursor = start;
      const isDone = (): boolean =>
        told.get(removed)?.at(-1)?.kind === 'removed' && kept.every((id) => lastSeqOf(told.get(id)) === 12);
      while (!isDone()) {
        const page = await readOn(storage.feed, cursor, 1, 7);
        for (const entry of page.entries) told.get(entry.id)?.push(entry);
        cursor = page.cursor;
      }
      for (const id of kept) {
        const entries = told.get(id) ?? [];
        // Each begins where the one before it ended.
        const begun = entries.map((entry) => entry.kind === 'grown' && entry.from);
        expect(begun).toEqual([1, ...entries.slice(0, -1).map((entry) => lastSeqOf([entry]) + 1)]);
      }
      expect((await storage.feed.read(cursor, 7)).entries).toEqual([]);
    });

    it('goes on where a reader was, behind a restart', async () => {
      const before = await create();
      const { cursor } = await readOn(storage.feed, start, 1);
      storage = home.open();
      expect(await storage.feed.read(cursor, 10)).toEqual({ entries: [], cursor, behind: false });
      const after = await create();
      const { entries } = await readOn(storage.feed, cursor, 1);
      expect(entries).toEqual([{ kind: 'grown', tenant: 'default', id: after, from: 1, seq: 2 }]);
      expect((await readOn(storage.feed, start, 2)).entries.map(({ id }) => id)).toEqual([before, after]);
    });

    it('goes on behind the removal of what was told last, also after a restart', async () => {
      const first = await create();
      const { cursor } = await readOn(storage.feed, start, 1);
      await storage.delete(first);
      const removed = await readOn(storage.feed, cursor, 1);
      expect(removed.entries).toEqual([{ kind: 'removed', tenant: 'default', id: first }]);
      storage = home.open();
      const second = await create();
      for (const after of [removed.cursor, cursor]) {
        const { entries } = await readOn(storage.feed, after, 1);
        expect(entries.at(-1)).toEqual({ kind: 'grown', tenant: 'default', id: second, from: 1, seq: 2 });
      }
    });

    it('begins at its end for whoever wants nothing that was before', async () => {
      await create();
      await readOn(storage.feed, start, 1);
      const end = await storage.feed.end();
      expect(await storage.feed.read(end, 10)).toEqual({ entries: [], cursor: end, behind: false });
      await create();
      expect((await readOn(storage.feed, end, 1)).entries).toHaveLength(1);
    });

    it('says to a reader with a cursor that it does not know that it is behind, and where to go on', async () => {
      await create();
      await readOn(storage.feed, start, 1);
      const page = await storage.feed.read('987654321098765-3', 10);
      expect(page).toEqual({ entries: [], cursor: await storage.feed.end(), behind: true });
      expect(await storage.feed.read('nonsense', 10)).toEqual(page);
    });

    it('has a reader wait until there is more, or until it is told to stop', async () => {
      const told: string[] = [];
      const waiting = storage.feed.more(start, UNHURRIED).then(() => told.push('woken'));
      await create();
      await waiting;
      await storage.feed.more(start, UNHURRIED);
      expect(told).toEqual(['woken']);
      const end = (await readOn(storage.feed, start, 1)).cursor;
      const stop = new AbortController();
      const stopped = storage.feed.more(end, stop.signal);
      stop.abort(new Error('no more'));
      await expect(stopped).rejects.toThrow('no more');
      await expect(storage.feed.more(end, stop.signal)).rejects.toThrow('no more');
    });
  });
}
