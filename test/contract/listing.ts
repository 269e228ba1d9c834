import { beforeEach, describe, expect, it } from 'vitest';
import type { ConversationFilter } from '../../src/conversation/log/log.ts';
import {
  Announced,
  agent,
  conversation,
  ENDED_BY_USER,
  ended,
  later,
  type OpenStorage,
  reply,
  type Storage,
  settings,
} from '../fixtures/conversations.ts';

/** What the catalog finds: lists of conversations, lists of messages. */
export function describeListing(open: OpenStorage): void {
  let storage: Storage;
  beforeEach(async () => {
    storage = await open(new Announced());
  });

  async function add(topic: string, providers: string[] = ['embedded', 'embedded'], at = 0): Promise<string> {
    const agents = providers.map((provider, index) => agent(`Agent ${index}`, { provider }));
    const made = conversation({ settings: settings({ topic, agents }), createdAt: later(at) });
    await storage.create(made);
    return made.id;
  }

  /** The topics that a filter finds, over as many pages as it takes. */
  async function topics(filter: ConversationFilter, limit = 200): Promise<string[]> {
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.list(filter, { limit, cursor });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      found.push(...page.items.map((record) => record.settings.topic));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }

  describe('lists of conversations', () => {
    it('are empty at first', async () => {
      expect(await storage.list({}, { limit: 50 })).toEqual({ items: [], nextCursor: null });
      expect(await storage.list({ q: 'any', createdAfter: later(0) }, { limit: 50 })).toEqual({
        items: [],
        nextCursor: null,
      });
    });

    it.each([1, 2, 3, 5, 6, 7, 200])('are newest first in pages of %i', async (limit) => {
      for (let index = 0; index < 6; index++) await add(`topic ${index}`, undefined, Math.floor(index / 3));
      const newestFirst = [5, 4, 3, 2, 1, 0].map((index) => `topic ${index}`);
      expect(await topics({}, limit)).toEqual(newestFirst);
      expect(await topics({ q: 'topic' }, limit)).toEqual(newestFirst);
      expect(await topics({ q: 'o' }, limit)).toEqual(newestFirst);
      expect(await topics({ provider: 'embedded' }, limit)).toEqual(newestFirst);
      expect(await topics({ status: 'running' }, limit)).toEqual(newestFirst);
    });

    it('have no cursor on a last page that is just full', async () => {
      await add('one');
      await add('two');
      expect((await storage.list({}, { limit: 2 })).nextCursor).toBeNull();
      expect((await storage.list({}, { limit: 1 })).nextCursor).not.toBeNull();
    });

    it('neither repeat nor skip what was there all the while, as others come and go', async () => {
      const ids: string[] = [];
      for (let index = 0; index < 9; index++) ids.push(await add(`topic ${index}`));
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let round = 0; ; round++) {
        const page = await storage.list({ q: 'topic' }, { limit: 2, cursor });
        seen.push(...page.items.map((record) => record.settings.topic));
        cursor = page.nextCursor ?? undefined;
        if (cursor === undefined) break;
        await add(`topic new ${round}`);
        // The last one seen, to which the cursor points; and one that is still to come.
        if (round === 0) await storage.delete(ids[7] ?? '');
        if (round === 1) await storage.delete(ids[2] ?? '');
      }
      expect(seen).toEqual([8, 7, 6, 5, 4, 3, 1, 0].map((index) => `topic ${index}`));
    });

    it.each(['', 'x', 'k', '-1', 'k-1', "k1' OR 1", '0'.repeat(500), 'k 1', '\u{1f642}'])(
      'refuse the cursor %j',
      async (cursor) => {
        await expect(storage.list({}, { limit: 10, cursor })).rejects.toMatchObject({
          code: 'invalid_cursor',
        });
      },
    );

    it('filter by status', async () => {
      await add('runs');
      const ending = await add('ended');
      await storage.markTerminated(ending, ENDED_BY_USER);
      await storage.create(conversation({ settings: settings({ topic: 'waits' }), startedAt: null }));
      expect(await topics({ status: 'running' })).toEqual(['runs']);
      expect(await topics({ status: 'terminated' })).toEqual(['ended']);
      expect(await topics({ status: 'queued' })).toEqual(['waits']);
      expect(await topics({ status: 'paused' })).toEqual([]);
    });

    it('filter by provider, each conversation once', async () => {
      await add('a', ['claude', 'claude', 'gemini']);
      await add('b', ['gemini', 'grok']);
      await add('c', ['grok', 'embedded']);
      expect(await topics({ provider: 'claude' })).toEqual(['a']);
      expect(await topics({ provider: 'gemini' })).toEqual(['b', 'a']);
      expect(await topics({ provider: 'grok' }, 1)).toEqual(['c', 'b']);
      expect(await topics({ provider: 'CLAUDE' })).toEqual([]);
      expect(await topics({ provider: "' OR 1=1 --" })).toEqual([]);
    });

    it('filter by time, both ends excluded', async () => {
      for (const at of [0, 1000, 1000, 2000, 3000]) await add(`at ${at}`, undefined, at);
      expect(await topics({ createdAfter: later(1000) })).toEqual(['at 3000', 'at 2000']);
      expect(await topics({ createdAfter: later(999) })).toHaveLength(4);
      expect(await topics({ createdBefore: later(2000) })).toEqual(['at 1000', 'at 1000', 'at 0']);
      expect(await topics({ createdBefore: later(0) })).toEqual([]);
      expect(await topics({ createdAfter: later(3000) })).toEqual([]);
      expect(await topics({ createdAfter: later(0), createdBefore: later(3000) }, 2)).toEqual([
        'at 2000',
        'at 1000',
        'at 1000',
      ]);
      expect(await topics({ createdAfter: later(2000), createdBefore: later(1000) })).toEqual([]);
    });

    it('filter by everything at once', async () => {
      await add('Bees at night', ['claude', 'grok'], 0);
      await add('Bees by day', ['claude', 'grok'], 1000);
      const ending = await add('Bees asleep', ['claude', 'grok'], 2000);
      await add('Ants', ['claude', 'grok'], 3000);
      await add('More bees', ['gemini', 'grok'], 4000);
      await storage.markTerminated(ending, ENDED_BY_USER);
      const filter = { q: 'BEES', provider: 'claude', createdAfter: later(0), createdBefore: later(3000) };
      expect(await topics(filter)).toEqual(['Bees asleep', 'Bees by day']);
      expect(await topics({ ...filter, status: 'running' })).toEqual(['Bees by day']);
      expect(await topics({ ...filter, status: 'terminated' }, 1)).toEqual(['Bees asleep']);
      expect(await topics({ ...filter, q: 'bE' }, 1)).toEqual(['Bees asleep', 'Bees by day']);
    });

    const TOPICS = [
      'Say "cheese" to them',
      "It's 100% sure_thing",
      'C:\\path * NEAR(a b) AND OR',
      'Über ÄPFEL und Öl',
      '日本語の会話',
      'Привет, МИР',
      'ΟΔΟΣ ΟΝΕΙΡΩΝ',
      '🙂🙃🙂 smile',
      'tab\tand\nline',
      'naïve cafe\u0301',
    ];
    it.each([
      ['"cheese"', 0],
      ['"', 0],
      ['y "', 0],
      ['cheese" OR "sure', undefined],
      ["'s", 1],
      ["t's 1", 1],
      ['%', 1],
      ['0%', 1],
      ['100%', 1],
      ['_', 1],
      ['e_t', 1],
      ['s%e', undefined],
      ['___', undefined],
      ['\\', 2],
      [':\\path', 2],
      ['* n', 2],
      ['NEAR(a b)', 2],
      ['AND OR', 2],
      ['topic:say', undefined],
      ['sa*', undefined],
      ['-', undefined],
      ['ü', 3],
      ['ÜB', 3],
      ['äpf', 3],
      ['öL', 3],
      ['日', 4],
      ['日本', 4],
      ['日本語', 4],
      ['の会話', 4],
      ['мир', 5],
      ['ПР', 5],
      ['οδος', 6],
      ['Σ ο', 6],
      ['🙂', 7],
      ['🙃🙂', 7],
      ['🙂🙃🙂', 7],
      ['\t', 8],
      ['d\nl', 8],
      ['café', undefined],
      ['cafe\u0301', 9],
      ['  ', undefined],
      ['say "cheese" to them', 0],
      ['say "cheese" to them ', undefined],
    ])('find %j in a topic, literally and without case', async (q, index) => {
      await Promise.all(TOPICS.map((topic) => add(topic)));
      const expected = index === undefined ? [] : [TOPICS[index]];
      expect(await topics({ q })).toEqual(expected);
      expect(await topics({ q, status: 'running' })).toEqual(expected);
      expect(await topics({ q, provider: 'embedded' }, 1)).toEqual(expected);
    });

    it.each([
      ['C', ['naïve cafe\u0301', 'C:\\path * NEAR(a b) AND OR', 'Say "cheese" to them']],
      ['E\u0301', ['naïve cafe\u0301']],
      ['\u0301', ['naïve cafe\u0301']],
      ['SS', ['Straße, STRASSE']],
      ['ß', ['GROẞ', 'Straße, STRASSE']],
      ['ẞ', ['GROẞ', 'Straße, STRASSE']],
      ['ßE', ['Straße, STRASSE']],
      ['i', ['İzmir', 'ΟΔΟΣ i', 'tab\tand\nline', "It's 100% sure_thing", '🙂🙃🙂 smile']],
      ['İ', ['İzmir']],
      ['IZ', []],
      ['ς', ['ΟΔΟΣ i']],
      ['ΟΣ', ['ΟΔΟΣ i']],
      ['σ ', ['ΟΔΟΣ i']],
      ['🙂', ['🙂🙃🙂 smile']],
      ['🙃🙂', ['🙂🙃🙂 smile']],
      ['🙃🙃', []],
      ['🙂 ', ['🙂🙃🙂 smile']],
      ['話', ['話', '日本語の会話']],
      ['会話', ['日本語の会話']],
      ['話会', []],
      ['語 ', []],
      ['*', ['C:\\path * NEAR(a b) AND OR']],
      ['* ', ['C:\\path * NEAR(a b) AND OR']],
      ['e*', []],
      ['()', []],
      ['OR', ['C:\\path * NEAR(a b) AND OR']],
      ['" ', ['Say "cheese" to them']],
      ['""', []],
      ["'", ["It's 100% sure_thing"]],
      ['% ', ["It's 100% sure_thing"]],
      ['_t', ["It's 100% sure_thing"]],
      ['__', []],
      ['\n', ['tab\tand\nline']],
      ['00', ["It's 100% sure_thing"]],
      ['0*', []],
      ['x', ['x']],
    ])('find %j, however short, in every topic that has it and in no other', async (q, expected) => {
      const all = [
        'Say "cheese" to them',
        "It's 100% sure_thing",
        'C:\\path * NEAR(a b) AND OR',
        'naïve cafe\u0301',
        '日本語の会話',
        '🙂🙃🙂 smile',
        'ΟΔΟΣ i',
        'tab\tand\nline',
        'Straße, STRASSE',
        'GROẞ',
        'İzmir',
        'x',
        '話',
      ];
      await Promise.all(all.map((topic) => add(topic)));
      const found = await topics({ q });
      expect(found.toSorted()).toEqual(expected.toSorted());
      expect(await topics({ q }, 1)).toEqual(found);
      expect(await topics({ q, provider: 'embedded', createdAfter: later(-1) }, 2)).toEqual(found);
      expect(await topics({ q, status: 'terminated' })).toEqual([]);
    });

    it('find one and two characters no more in topics that were removed', async () => {
      const [gone, kept] = [await add('Zoë 🐝 ab'), await add('🐝 abc')];
      for (const q of ['z', '🐝', 'AB', '🐝 ']) expect((await topics({ q })).at(-1)).toContain('🐝 ab');
      await storage.delete(gone);
      for (const q of ['z', 'ë', 'oë', 'ë ']) expect(await topics({ q })).toEqual([]);
      for (const q of ['🐝', 'AB', '🐝 ', 'c']) expect(await topics({ q })).toEqual(['🐝 abc']);
      await storage.delete(kept);
      for (const q of ['🐝', 'ab', 'c']) expect(await topics({ q })).toEqual([]);
    });
  });

  describe('lists of messages', () => {
    let id: string;
    beforeEach(async () => {
      id = await add('Opening words');
      const contents = ['First "thought"', '100% sure', 'ÜBER alles', 'thoughts again', 'last_one'];
      for (const [index, content] of contents.entries()) {
        const event = reply(index + 3, { content });
        await storage.addMessage(id, index + 2, index === 4 ? [event, ended(8)] : [event]);
      }
    });

    async function seqs(filter: { sender?: string; q?: string }, limit = 200): Promise<number[]> {
      const found: number[] = [];
      for (let afterSeq = 0; ; ) {
        const page = await storage.messages(id, filter, { limit, afterSeq });
        found.push(...page.items.map(({ seq }) => seq));
        if (page.nextCursor === null) return found;
        expect(page.items).toHaveLength(limit);
        expect(page.nextCursor).toBe(String(found.at(-1)));
        afterSeq = Number(page.nextCursor);
      }
    }

    it.each([1, 2, 3, 6, 7])('are in order in pages of %i, messages alone', async (limit) => {
      expect(await seqs({}, limit)).toEqual([2, 3, 4, 5, 6, 7]);
    });

    it.each([
      [{ sender: 'Ada' }, [3, 5, 7]],
      [{ sender: 'ada' }, []],
      [{ sender: 'Moderator' }, [2]],
      [{ sender: `Ada' OR '1'='1` }, []],
      [{ q: 'thought' }, [3, 6]],
      [{ q: '"THOUGHT"' }, [3]],
      [{ q: '%' }, [4]],
      [{ q: '_' }, [7]],
      [{ q: 'über' }, [5]],
      [{ q: 'opening' }, [2]],
      [{ q: 'Ben' }, []],
      [{ q: 'thought', sender: 'Ben' }, [6]],
    ])('filtered by %j', async (filter, expected) => {
      expect(await seqs(filter)).toEqual(expected);
      expect(await seqs(filter, 1)).toEqual(expected);
    });

    it('go on after any seq', async () => {
      const { items, nextCursor } = await storage.messages(id, {}, { limit: 2, afterSeq: 4 });
      expect(items.map(({ content }) => content)).toEqual(['ÜBER alles', 'thoughts again']);
      expect(nextCursor).toBe('6');
      expect((await storage.messages(id, {}, { limit: 2, afterSeq: 999 })).items).toEqual([]);
    });
  });
}
