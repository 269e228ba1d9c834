import { describe, expect, it } from 'vitest';
import { EVERY_TENANT } from '../../src/conversation/log/log.ts';
import {
  KEPT_DELIVERIES,
  MOST_WEBHOOKS,
  type StoredWebhook,
  type WebhookStore,
} from '../../src/conversation/webhooks/store.ts';
import type { Delivery } from '../../src/protocol/webhooks.ts';

const webhook = (id: string, tenant = 'default'): StoredWebhook => ({
  id,
  tenant,
  url: 'https://example.com/',
  events: ['*'],
  conversationId: null,
  status: 'active',
  createdAt: '2026-01-31T12:00:00.000Z',
  since: '2026-01-31T12:00:00.000Z',
  secrets: [{ sealed: 'x', until: null }],
});

const delivery = (id: string, conversationId: string | null = 'c'): Delivery => ({
  id,
  conversationId,
  seq: 1,
  type: 'message',
  status: 'delivered',
  attempts: 1,
  lastAttemptAt: '2026-01-31T12:00:00.000Z',
  nextAttemptAt: null,
  responseStatus: 200,
  error: null,
});

const grown = (webhookId: string, conversationId: string, from: number, seq: number) => ({
  webhookId,
  conversationId,
  from,
  seq,
});
const place = (webhookId: string, conversationId: string, position: number, tries = 0) => ({
  webhookId,
  conversationId,
  position,
  tries,
});

/** What every store of webhooks does. */
export function describeWebhooks(name: string, open: () => WebhookStore): void {
  describe(`12: webhooks on ${name}`, () => {
    it('keeps them by tenant, as many as a tenant may have', async () => {
      const store = open();
      expect(await store.create(webhook('b', 'one'))).toBe('created');
      expect(await store.create(webhook('a', 'one'))).toBe('created');
      expect(await store.create(webhook('c', 'two'))).toBe('created');
      expect((await store.list('one')).map(({ id }) => id)).toEqual(['a', 'b']);
      expect((await store.list(EVERY_TENANT)).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
      expect(await store.list('three')).toEqual([]);
      expect(await store.get('one', 'a')).toEqual(webhook('a', 'one'));
      expect(await store.get('two', 'a')).toBeUndefined();
      expect(await store.get(EVERY_TENANT, 'a')).toEqual(webhook('a', 'one'));
      const disabled = { ...webhook('a', 'one'), status: 'disabled' as const };
      expect(await store.replace(disabled)).toBe(true);
      expect(await store.get('one', 'a')).toEqual(disabled);
      expect(await store.replace(webhook('none'))).toBe(false);
      expect(await store.delete('two', 'a')).toBe(false);
      expect(await store.delete('one', 'a')).toBe(true);
      expect(await store.delete('one', 'a')).toBe(false);
      expect((await store.list('one')).map(({ id }) => id)).toEqual(['b']);
      for (let n = 1; n < MOST_WEBHOOKS; n++) await store.create(webhook(`b${n}`, 'one'));
      expect(await store.create(webhook('z', 'one'))).toBe('full');
      expect(await store.create(webhook('z', 'two'))).toBe('created');
    });

    it('has the feed in one hand, until its lease runs out', async () => {
      const store = open();
      await store.create(webhook('w'));
      expect(await store.holdFeed('one', 0, 100)).toBeUndefined();
      expect(await store.noteFeed('one', 'cursor-1', [], [])).toBe(true);
      expect(await store.holdFeed('one', 50, 150)).toBe('cursor-1');
      expect(await store.holdFeed('two', 149, 250)).toBeNull();
      expect(await store.noteFeed('two', 'cursor-2', [grown('w', 'c', 1, 2)], [])).toBe(false);
      expect(await store.holdFeed('two', 150, 250)).toBe('cursor-1');
      expect(await store.noteFeed('one', 'cursor-2', [grown('w', 'c', 1, 2)], [])).toBe(false);
      expect(await store.nextDue(['w', 'v'])).toBeUndefined();
    });

    it('hands out what is due, once, and again when its hand is no more', async () => {
      const store = open();
      await store.create(webhook('w'));
      await store.create(webhook('v'));
      await store.holdFeed('one', 0, 1e6);
      await store.noteFeed(
        'one',
        '1',
        [grown('w', 'c', 1, 2), grown('w', 'd', 5, 5), grown('v', 'c', 1, 2)],
        [],
      );
      expect(await store.nextDue(['w', 'v'])).toBeLessThanOrEqual(0);
      const most = new Map([['w', 1]]);
      const [first] = await store.claim('one', 1000, 2000, most);
      const [second] = await store.claim('one', 1000, 2000, new Map([['w', 5]]));
      expect(
        [first, second].sort((a, b) => ((a?.conversationId ?? '') < (b?.conversationId ?? '') ? -1 : 1)),
      ).toEqual([place('w', 'c', 0), place('w', 'd', 4)]);
      expect(await store.claim('two', 1999, 3000, new Map([['w', 5]]))).toEqual([]);
      expect(await store.claim('two', 2000, 3000, most)).toHaveLength(1);
      expect(await store.claim('two', 2000, 3000, new Map())).toEqual([]);
      expect(await store.claim('two', 2000, 3000, new Map([['v', 5]]))).toEqual([place('v', 'c', 0)]);
    });

    it('moves on, rests, tries again and goes, in the hand that has it', async () => {
      const store = open();
      await store.create(webhook('w'));
      await store.holdFeed('one', 0, 1e6);
      await store.noteFeed('one', '1', [grown('w', 'c', 1, 2)], []);
      const most = new Map([['w', 5]]);
      const [claimed = place('', '', 0)] = await store.claim('one', 10, 100, most);
      expect(await store.settle('two', claimed, { type: 'gone' })).toBe(false);
      expect(await store.settle('one', claimed, { type: 'moved', position: 1, until: 200 })).toBe(true);
      expect(await store.claim('two', 199, 300, most)).toEqual([]);
      const again = { type: 'retrying', position: 1, tries: 3, at: 500 } as const;
      expect(await store.settle('one', claimed, again)).toBe(true);
      expect(await store.settle('one', claimed, { type: 'gone' })).toBe(false);
      expect(await store.nextDue(['w', 'v'])).toBe(500);
      // What grows meanwhile doesn't have it tried sooner.
      await store.noteFeed('one', '2', [grown('w', 'c', 3, 3)], []);
      expect(await store.claim('two', 499, 600, most)).toEqual([]);
      const [retried = place('', '', 0)] = await store.claim('two', 500, 600, most);
      expect(retried).toEqual(place('w', 'c', 1, 3));
      // It grew to 3 while 2 was on its way.
      expect(await store.settle('two', retried, { type: 'resting', position: 2 })).toBe(true);
      const [third = place('', '', 0)] = await store.claim('two', 600, 700, most);
      expect(third).toEqual(place('w', 'c', 2));
      expect(await store.settle('two', third, { type: 'resting', position: 3 })).toBe(true);
      expect(await store.nextDue(['w', 'v'])).toBeUndefined();
      // What is told twice, or late, is nothing new.
      await store.noteFeed('one', '3', [grown('w', 'c', 2, 3)], []);
      expect(await store.nextDue(['w', 'v'])).toBeUndefined();
      await store.noteFeed('one', '4', [grown('w', 'c', 4, 4)], []);
      const [last = place('', '', 0)] = await store.claim('one', 800, 900, most);
      expect(last).toEqual(place('w', 'c', 3));
      expect(await store.settle('one', last, { type: 'gone' })).toBe(true);
      expect(await store.nextDue(['w', 'v'])).toBeUndefined();
    });

    it('forgets a place once the conversation is over, and the feed has told of all that was told', async () => {
      const store = open();
      await store.create(webhook('w'));
      await store.holdFeed('one', 0, 1e6);
      const most = new Map([['w', 5]]);
      const claimOne = async () => (await store.claim('one', 10, 100, most))[0] ?? place('', '', 0);
      const over = async (position: number) =>
        await store.settle('one', await claimOne(), { type: 'over', position });
      /** Where it would begin with an event that the feed tells of. */
      const placeAt = async (seq: number) => {
        await store.noteFeed('one', 'x', [grown('w', 'c', seq, seq)], []);
        return await store.claim('two', 10, 100, most);
      };
      // The feed was ahead.
      await store.noteFeed('one', '1', [grown('w', 'c', 1, 6)], []);
      expect(await over(6)).toBe(true);
      expect(await placeAt(9)).toEqual([place('w', 'c', 8)]);
      // The log was ahead: what the feed tells of late is nothing new.
      await store.noteFeed('one', '2', [grown('w', 'd', 1, 2)], []);
      expect(await over(6)).toBe(true);
      await store.noteFeed('one', '3', [grown('w', 'd', 3, 4)], []);
      await store.noteFeed('one', '4', [grown('w', 'd', 5, 6)], []);
      expect(await store.claim('one', 10, 100, most)).toEqual([]);
      await store.noteFeed('one', '5', [grown('w', 'd', 9, 9)], []);
      expect(await claimOne()).toEqual(place('w', 'd', 8));
      // It was not the end after all.
      await store.noteFeed('one', '6', [grown('w', 'e', 1, 2)], []);
      expect(await over(3)).toBe(true);
      await store.noteFeed('one', '7', [grown('w', 'e', 3, 4)], []);
      const more = await claimOne();
      expect(more).toEqual(place('w', 'e', 3));
      expect(await store.settle('two', more, { type: 'over', position: 4 })).toBe(false);
      expect(await store.settle('one', more, { type: 'over', position: 3 })).toBe(true);
      expect(await claimOne()).toEqual(place('w', 'e', 3));
      // Told again, all of it is known of.
      await store.goBack(grown('w', 'f', 3, 6), true);
      expect(await over(6)).toBe(true);
      await store.noteFeed('one', '8', [grown('w', 'f', 9, 9)], []);
      expect(await claimOne()).toEqual(place('w', 'f', 8));
    });

    it('goes back to tell again, also what is in a hand, or only to what was missed', async () => {
      const store = open();
      await store.create(webhook('w'));
      await store.holdFeed('one', 0, 1e6);
      await store.noteFeed('one', '1', [grown('w', 'c', 8, 9)], []);
      const most = new Map([['w', 5]]);
      const [claimed = place('', '', 0)] = await store.claim('one', 10, 100, most);
      await store.settle('one', claimed, { type: 'moved', position: 9, until: 100 });
      await store.goBack(grown('w', 'c', 4, 9), false);
      expect(await store.settle('one', claimed, { type: 'resting', position: 9 })).toBe(true);
      await store.goBack(grown('w', 'c', 4, 9), true);
      const [back = place('', '', 0)] = await store.claim('one', 20, 100, most);
      expect(back).toEqual(place('w', 'c', 3));
      await store.goBack(grown('w', 'c', 2, 9), true);
      expect(await store.settle('one', back, { type: 'moved', position: 4, until: 100 })).toBe(false);
      expect(await store.claim('two', 20, 100, most)).toEqual([place('w', 'c', 1)]);
      await store.goBack(grown('w', 'd', 1, 1), true);
      await store.goBack(grown('none', 'd', 1, 1), true);
      expect(
        await store.claim(
          'two',
          20,
          100,
          new Map([
            ['w', 5],
            ['none', 5],
          ]),
        ),
      ).toEqual([place('w', 'd', 0)]);
      const replay = { webhookId: 'w', since: '2026-01-01T00:00:00.000Z', cursor: null, again: true };
      await store.saveReplay(replay);
      await store.saveReplay({ ...replay, cursor: 'x' });
      expect(await store.replays()).toEqual([{ ...replay, cursor: 'x' }]);
      await store.endReplay('w');
      expect(await store.replays()).toEqual([]);
    });

    it('keeps the last deliveries, each as it went last, and nothing of what is removed', async () => {
      const store = open();
      await store.create(webhook('w'));
      await store.holdFeed('one', 0, 1e6);
      await store.noteDelivery('w', { ...delivery('m-1'), status: 'retrying' });
      for (let n = 2; n <= KEPT_DELIVERIES; n++) await store.noteDelivery('w', delivery(`m-${n}`, 'd'));
      await store.noteDelivery('w', delivery('m-1'));
      let kept = await store.deliveries('w');
      expect(kept.map(({ id }) => id).slice(0, 2)).toEqual(['m-1', `m-${KEPT_DELIVERIES}`]);
      expect(kept).toHaveLength(KEPT_DELIVERIES);
      expect(kept[0]).toEqual(delivery('m-1'));
      await store.noteFeed('one', '0', [grown('w', 'e', 1, 1)], []);
      const [claimed = place('', '', 0)] = await store.claim('one', 10, 100, new Map([['w', 5]]));
      const settlement = { type: 'gone' } as const;
      expect(await store.settle('two', claimed, settlement, delivery('in vain'))).toBe(false);
      expect(await store.settle('one', claimed, settlement, delivery('one more'))).toBe(true);
      kept = await store.deliveries('w');
      expect(kept).toHaveLength(KEPT_DELIVERIES);
      expect(kept.map(({ id }) => id)).not.toContain('m-2');
      expect(kept.map(({ id }) => id).slice(0, 3)).toEqual(['one more', 'in vain', 'm-1']);
      await store.noteFeed('one', '1', [grown('w', 'd', 1, 1), grown('w', 'c', 1, 1)], []);
      await store.noteFeed('one', '2', [], ['d']);
      expect((await store.deliveries('w')).map(({ id }) => id)).toEqual(['one more', 'in vain', 'm-1']);
      expect(await store.claim('one', 10, 100, new Map([['w', 5]]))).toEqual([place('w', 'c', 0)]);
      expect(await store.delete('default', 'w')).toBe(true);
      expect(await store.deliveries('w')).toEqual([]);
      expect(await store.nextDue(['w', 'v'])).toBeUndefined();
      await store.noteFeed('one', '3', [], ['c']);
    });
  });
}
