import { beforeEach, describe, expect, it } from 'vitest';
import { EVERY_TENANT, type TenantScope } from '../../src/conversation/log/log.ts';
import { parseQuery } from '../../src/conversation/search/query.ts';
import type { MessageQuery, MessageSearch } from '../../src/conversation/search/search.ts';
import type { RetractedEvent } from '../../src/protocol/events.ts';
import type { SearchHit } from '../../src/protocol/search.ts';
import { conversation, later, reply, type Storage, settings } from '../fixtures/conversations.ts';
import { seededRandom } from '../fixtures/random.ts';

export interface Searched {
  storage: Storage;
  search: MessageSearch;
  /** Fulfilled when what was acknowledged is to be found. */
  settled: () => Promise<void>;
}

type Asked = Partial<Omit<MessageQuery, 'terms'>> & { q: string; tenant?: TenantScope };

/** What every search does, whatever keeps its index. */
export function describeSearch(name: string, open: () => Promise<Searched>): void {
  describe(`the search of ${name}`, () => {
    let parts: Searched;
    beforeEach(async () => {
      parts = await open();
    });

    /** A conversation whose opening message is the first text, and whose replies are the others. */
    async function say(
      contents: readonly string[],
      made: { tenant?: string; labels?: object } = {},
    ): Promise<string> {
      const [openingMessage = '', ...replies] = contents;
      const all = settings({ topic: 'a topic', openingMessage, metadata: { ...made.labels } });
      const begun = conversation({
        settings: all,
        ...(made.tenant === undefined ? {} : { tenant: made.tenant }),
      });
      await parts.storage.create(begun);
      for (const [index, content] of replies.entries()) await append(begun.id, index + 3, content);
      return begun.id;
    }

    async function append(id: string, seq: number, content: string): Promise<void> {
      expect(await parts.storage.addMessage(id, seq - 1, [reply(seq, { content })])).toBe('appended');
    }

    async function retract(id: string, target: number): Promise<void> {
      const seq = ((await parts.storage.get(id))?.lastSeq ?? 0) + 1;
      const at = later(seq * 1000).toISOString();
      const event: RetractedEvent = { seq, type: 'message.retracted', at, target, by: 'user' };
      expect(await parts.storage.addMessage(id, seq - 1, [event])).toBe('appended');
    }

    /** Of all pages. */
    async function hits({ q, tenant = 'default', ...filter }: Asked, limit = 200): Promise<SearchHit[]> {
      await parts.settled();
      const found: SearchHit[] = [];
      let cursor: string | undefined;
      do {
        const query = { terms: parseQuery(q), ...filter };
        const page = await parts.search.search(tenant, query, { limit, cursor });
        expect(page.isIncomplete).toBe(false);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return found;
    }

    const snippets = async (asked: Asked | string): Promise<string[]> =>
      (await hits(typeof asked === 'string' ? { q: asked } : asked)).map(({ snippet }) => snippet);

    it('tells where a message stands and what matched', async () => {
      const id = await say(['Should tea be green?', 'I prefer green tea to any other.']);
      const [best] = await hits({ q: 'prefer tea' });
      expect(best).toEqual({
        conversationId: id,
        topic: 'a topic',
        seq: 3,
        turn: 1,
        sender: 'Ada',
        at: later(3000).toISOString(),
        snippet: 'I prefer green tea to any other.',
        highlights: [
          [2, 8],
          [15, 18],
        ],
      });
    });

    it.each([
      ['whatever the case', 'GREEN', 'Green tea'],
      ['without accents', 'creme brulee', 'Crème brûlée'],
      ['with accents that the text has not', 'crème', 'the creme of it'],
      ['Greek', 'σοφια', 'Σοφία'],
      ['the end of a Greek word', 'οδος', 'ΟΔΟΣ'],
      ['Cyrillic', 'еще', 'Ещё раз'],
      ['Hebrew with points', 'שלום', 'שָׁלוֹם לך'],
      ['Vietnamese', 'viet', 'Việt Nam'],
      ['Turkish', 'istanbul', 'İstanbul'],
      ['German', 'strasse', 'die Straße'],
      ['Chinese of two characters', '北京', '我在北京工作'],
      ['Chinese of one character', '京', '我在北京'],
      ['Chinese of four', '北京工作', '我在北京工作了'],
      ['Japanese', '東京', '明日東京へ行く'],
      ['Japanese voiced kana', 'がく', '大がくせい'],
      ['Katakana of half width', 'ガク', 'ｶﾞｸのこと'],
      ['Korean without its ending', '한국', '한국은 아름답다'],
      ['full width', 'abc', 'ＡＢＣ'],
      ['beyond the first plane', '𠮷野', '店は𠮷野家だ'],
      ['an apostrophe', "don't", "I don't know"],
      ['words that queries have elsewhere', 'AND OR NOT', 'or not and so on'],
      ['NEAR', 'NEAR', 'it is near'],
      ['a word like a column', 'words:tea', 'words and tea'],
      ['punctuation', '(tea) -- ^"* OR', 'tea or not'],
      ['a beginning', 'gre*', 'green tea'],
      ['a beginning of Chinese', '北*', '在北京'],
      ['a phrase', '"green tea"', 'the Green, tea!'],
      ['an open quotation mark', '"green', 'green'],
      ['digits', '42', 'it is 42.'],
    ])('finds %s', async (_name, q, content) => {
      await say([content, 'something else']);
      expect(await snippets(q)).toEqual([content]);
    });

    it.each([
      ['half of a word', 'gree', 'green tea'],
      ['a word that is missing', 'green coffee', 'green tea'],
      ['a phrase in another order', '"tea green"', 'green tea'],
      ['a phrase with a gap', '"green tea"', 'green and white tea'],
      ['two characters that stand apart', '北京', '北和京'],
      ['unvoiced kana', 'かく', 'がく'],
      ['punctuation alone', '?! "" * ^', 'what?!'],
    ])('does not find %s', async (_name, q, content) => {
      await say([content]);
      expect(await snippets(q)).toEqual([]);
    });

    it('gives the best match first, of equals the newest', async () => {
      await say(['tea', 'tea and something else that is longer', 'tea tea tea and so on', 'tea']);
      const found = await hits({ q: 'tea' });
      expect(found.at(-1)?.seq).toBe(3);
      expect(found.filter(({ snippet }) => snippet === 'tea').map(({ seq }) => seq)).toEqual([5, 2]);
    });

    it('is by tenant', async () => {
      const one = await say(['green tea'], { tenant: 'one' });
      const two = await say(['green tea'], { tenant: 'two' });
      const found = async (tenant: TenantScope) =>
        new Set((await hits({ q: 'tea', tenant })).map(({ conversationId }) => conversationId));
      expect(await found('one')).toEqual(new Set([one]));
      expect(await found('two')).toEqual(new Set([two]));
      expect(await found('three')).toEqual(new Set());
      expect(await found(EVERY_TENANT)).toEqual(new Set([one, two]));
    });

    it('is by sender, time and label', async () => {
      await say(['tea 0', 'tea 1', 'tea 2', 'tea 3'], { labels: { kind: 'green', cups: 2 } });
      await say(['tea 4'], { labels: { kind: 'black' } });
      expect((await snippets({ q: 'tea', sender: 'Ada' })).sort()).toEqual(['tea 1', 'tea 3']);
      expect(await snippets({ q: 'tea', sender: 'Ad' })).toEqual([]);
      expect((await snippets({ q: 'tea', createdAfter: later(3000) })).sort()).toEqual(['tea 2', 'tea 3']);
      expect((await snippets({ q: 'tea', createdBefore: later(3000) })).sort()).toEqual(['tea 0', 'tea 4']);
      const span = { createdAfter: later(3000), createdBefore: later(5000) };
      expect(await snippets({ q: 'tea', ...span })).toEqual(['tea 2']);
      expect(await snippets({ q: 'tea', labels: { kind: 'black' } })).toEqual(['tea 4']);
      expect(await snippets({ q: 'tea', labels: { kind: 'green', cups: '2' } })).toHaveLength(4);
      expect(await snippets({ q: 'tea', labels: { kind: 'green', cups: '3' } })).toEqual([]);
    });

    it('does not find what is retracted, before and after it was first looked for', async () => {
      const id = await say(['tea 0', 'tea 1', 'tea 2']);
      await retract(id, 3);
      expect((await snippets('tea')).sort()).toEqual(['tea 0', 'tea 2']);
      await retract(id, 4);
      expect(await snippets('tea')).toEqual(['tea 0']);
      await parts.storage.delete(id);
      expect(await snippets('tea')).toEqual([]);
    });

    it('forgets what is deleted, and finds what takes its place', async () => {
      const kept = await say(['tea kept']);
      const id = await say(['tea 0', 'tea 1']);
      expect(await snippets('tea')).toHaveLength(3);
      await parts.storage.delete(id);
      expect(await snippets('tea')).toEqual(['tea kept']);
      await say(['tea new']);
      await append(kept, 3, 'tea more');
      expect((await snippets('tea')).sort()).toEqual(['tea kept', 'tea more', 'tea new']);
    });

    it.each([1, 7, 200])('comes in pages of %i, which others that come do not disturb', async (limit) => {
      const contents = Array.from({ length: 20 }, (_, index) => `tea ${'and '.repeat(index % 5)}${index}`);
      const id = await say(contents);
      const first = await hits({ q: 'tea' });
      expect(new Set(first.map(({ seq }) => seq)).size).toBe(20);
      expect(await hits({ q: 'tea' }, limit)).toEqual(first);
      const query = { terms: parseQuery('tea') };
      const page = await parts.search.search('default', query, { limit: 5 });
      await append(id, 22, 'tea tea');
      await parts.settled();
      const rest = await parts.search.search('default', query, { limit: 200, cursor: page.nextCursor ?? '' });
      expect([...page.items, ...rest.items]).toEqual(first);
      expect(rest.nextCursor).toBeNull();
    });

    it.each(['', 'x', 'k1', '1.1', '1.1.zz', '1.1.7ff0000000000000', `${'z'.repeat(11)}.1.`])(
      'refuses the cursor %j',
      async (cursor) => {
        const found = parts.search.search('default', { terms: parseQuery('tea') }, { limit: 5, cursor });
        await expect(found).rejects.toMatchObject({ code: 'invalid_cursor' });
      },
    );

    it('finds at any moment what a scan of all messages finds', async () => {
      const random = seededRandom(20261129);
      const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
      const words = ['tea', 'Tea', 'teas', 'Café', 'cafe', 'green', '東京', '京都', 'a-b', '42'];
      const queries = ['tea', 'te*', 'cafe', 'green tea', '"green tea"', '京', '東京', 'a', 'b*', '42 tea'];
      const text = () => Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(words)).join(' ');
      const model = new Map<string, Map<number, string>>();
      for (let moment = 0; moment < 1000; moment++) {
        const [id, messages] = pick([...model]) ?? [];
        const chance = random();
        if (!id || !messages || chance < 0.1) {
          const content = text();
          model.set(await say([content]), new Map([[2, content]]));
        } else if (chance < 0.8) {
          const content = text();
          const seq = ((await parts.storage.get(id))?.lastSeq ?? 0) + 1;
          await append(id, seq, content);
          messages.set(seq, content);
        } else if (chance < 0.92) {
          const target = pick([...messages.keys()]);
          if (target === undefined) continue;
          await retract(id, target);
          messages.delete(target);
        } else {
          await parts.storage.delete(id);
          model.delete(id);
        }
        const q = pick(queries);
        const found = (await hits({ q })).map(({ conversationId, seq }) => `${conversationId} ${seq}`);
        const scanned = [...model].flatMap(([conversationId, said]) =>
          [...said].flatMap(([seq, content]) => (scan(content, q) ? `${conversationId} ${seq}` : [])),
        );
        expect([moment, q, found.sort()]).toEqual([moment, q, scanned.sort()]);
      }
    });
  });
}

/** Whether a text has what the queries above ask for, found out in another way. */
function scan(content: string, q: string): boolean {
  const bare = (text: string) =>
    text
      .normalize('NFD')
      .replaceAll(/[\u0300-\u036F]/g, '')
      .toLowerCase();
  const text = ` ${bare(content).replaceAll('-', ' ')} `;
  if (/^[東京]+$/.test(q)) return text.includes(q);
  if (q.startsWith('"')) return text.includes(` ${q.slice(1, -1)} `);
  return q
    .split(' ')
    .every((word) => text.includes(word.endsWith('*') ? ` ${word.slice(0, -1)}` : ` ${word} `));
}
