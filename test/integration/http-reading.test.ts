import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { Conversation } from '../../src/protocol/conversation.ts';
import { conversationList, eventList, messageList, timeline } from '../../src/protocol/lists.ts';
import { create, ended, keeping, TIME } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { hang, startVendor } from '../fixtures/vendors.ts';

describe('2: reading', () => {
  it('lists conversations, newest first, by status, provider, topic and time', async () => {
    await using vendor = await startVendor('anthropic', hang);
    const { url } = await startServer({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: vendor.baseUrl });
    const embedded = [{ provider: 'embedded' }, { provider: 'embedded' }];
    const topics = ['Straße nach 北京', '100% "sure"', 'snake_case', "it's Übung", 'nothing'];
    const made: Conversation[] = [];
    for (const topic of topics) {
      made.push((await create(url, { topic, agents: embedded, maxTurns: 1 })).made);
    }
    for (const { id } of made) await ended(url, id);
    const claude = (await create(url, { topic: 'with Claude' })).made;
    const list = async (query: Record<string, string>) => {
      const path = `/conversations?${new URLSearchParams(query).toString()}`;
      return keeping(conversationList, await call(url, path));
    };
    const topicsOf = async (query: Record<string, string>) =>
      (await list(query)).items.map(({ topic }) => topic);
    const newest = ['with Claude', ...topics.toReversed()];

    expect(await topicsOf({})).toEqual(newest);
    expect(await topicsOf({ colour: 'ignored' })).toEqual(newest);
    expect(await topicsOf({ status: 'terminated', limit: '200' })).toEqual(newest.slice(1));
    expect(await topicsOf({ status: 'paused' })).toEqual([]);
    expect(await topicsOf({ status: 'running', q: 'CLAUDE' })).toEqual(['with Claude']);
    expect(await topicsOf({ provider: 'claude' })).toEqual(['with Claude']);
    expect(await topicsOf({ provider: 'embedded', status: 'terminated' })).toEqual(newest.slice(1));
    expect(await topicsOf({ provider: 'nobody' })).toEqual([]);
    for (const [q, found] of [
      ['%', [topics[1]]],
      ['_', [topics[2]]],
      ['"', [topics[1]]],
      ["'", [topics[3]]],
      ['0%', [topics[1]]],
      ['"sure"', [topics[1]]],
      ["it's", [topics[3]]],
      ['SNAKE', [topics[2]]],
      ['北', [topics[0]]],
      ['北京', [topics[0]]],
      ['h 北京', [topics[0]]],
      ['ü', [topics[3]]],
      ['übung', [topics[3]]],
      ['aße', [topics[0]]],
      ['no*', []],
      ['OR NOT', []],
      ['zzz', []],
    ] as const) {
      expect([q, await topicsOf({ q })]).toEqual([q, found]);
    }

    const [first, last] = [made[0]?.createdAt ?? '', claude.createdAt];
    expect(await topicsOf({ createdAfter: last })).toEqual([]);
    expect(await topicsOf({ createdBefore: first })).toEqual([]);
    expect(await topicsOf({ createdAfter: first })).not.toContain(topics[0]);
    expect(await topicsOf({ createdBefore: last })).not.toContain('with Claude');
    // A moment later than that, as Python's clock tells it.
    expect(await topicsOf({ createdAfter: last.replace('Z', '500Z') })).toEqual([]);
    expect(await topicsOf({ createdBefore: first.replace('Z', '500+00:00') })).toContain(topics[0]);
    expect(await topicsOf({ createdBefore: first.replace('Z', '000Z') })).toEqual([]);
    expect(
      await topicsOf({ createdAfter: '2020-01-01T00:00:00+01:00', createdBefore: '9999-01-01T00:00:00Z' }),
    ).toEqual(newest);

    const walked: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: z.output<typeof conversationList> = await list({ limit: '1', ...(cursor && { cursor }) });
      walked.push(...page.items.map(({ topic }) => topic));
      cursor = page.nextCursor;
    }
    expect(walked).toEqual(newest);
  });

  it('pages through messages and the log; 2.4, 3', async () => {
    const { url } = await startServer();
    const { made } = await create(url, { topic: 'Is the "Straße" 100% long?', maxTurns: 5 });
    const record = await ended(url, made.id);
    const base = `/conversations/${made.id}`;
    const events = keeping(eventList, await call(url, `${base}/log?limit=200`));
    const messages = keeping(messageList, await call(url, `${base}/messages`));
    expect(record).toMatchObject({
      status: 'terminated',
      turns: 5,
      termination: { reason: 'max_turns', by: 'system' },
    });
    expect(record.lastSeq).toBe(8);
    expect(events.nextCursor).toBeNull();
    expect(events.items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(messages.items.map(({ turn, sender }) => `${turn} ${sender}`)).toEqual([
      '0 Moderator',
      '1 Eliza',
      '2 Parry',
      '3 Eliza',
      '4 Parry',
      '5 Eliza',
    ]);
    expect(messages.items[0]?.metadata).toEqual({});
    for (const { timestamp } of messages.items) expect(timestamp).toMatch(TIME);
    for (const { at } of events.items) expect(at).toMatch(TIME);

    type Listing = typeof messageList | typeof eventList | typeof timeline;
    const walk = async (schema: Listing, path: string): Promise<number[]> => {
      const seen: number[] = [];
      for (let cursor: string | null = '0'; cursor !== null; ) {
        const page: z.output<Listing> = keeping<Listing>(
          schema,
          await call(url, `${path}limit=1&cursor=${cursor}`),
        );
        seen.push(...page.items.map(({ seq }) => seq));
        cursor = page.nextCursor;
      }
      return seen;
    };
    expect(await walk(eventList, `${base}/log?`)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await walk(messageList, `${base}/messages?`)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await walk(messageList, `${base}/messages?sender=Parry&`)).toEqual([4, 6]);
    expect(await walk(messageList, `${base}/messages?q=STRA%C3%9FE&sender=Moderator&`)).toEqual([2]);
    expect(await walk(messageList, `${base}/messages?q=100%25&sender=Moderator&`)).toEqual([2]);
    expect(await walk(messageList, `${base}/messages?q=xyzzy&`)).toEqual([]);
    expect(await walk(eventList, `${base}/log?`)).toHaveLength(8);
    const behind = await call(url, `${base}/messages?cursor=99999`);
    expect(behind.body).toEqual({ items: [], nextCursor: null });

    const whole = keeping(timeline, await call(url, `${base}/timeline`));
    expect(whole.nextCursor).toBeNull();
    expect(whole.items.map((entry) => (entry.type === 'turn' ? entry.turn : entry.type))).toEqual([
      1,
      2,
      3,
      4,
      5,
      'conversation.terminated',
    ]);
    expect(await walk(timeline, `${base}/timeline?`)).toEqual([3, 4, 5, 6, 7, 8]);
    const tail = keeping(timeline, await call(url, `${base}/timeline?cursor=5`));
    expect(tail.items).toEqual(whole.items.slice(3));
    const past = await call(url, `${base}/timeline?cursor=99999`);
    expect(past.body).toEqual({ items: [], nextCursor: null });
  });
});
