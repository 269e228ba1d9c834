import { describe, expect, it } from 'vitest';
import type { Knowledge, ReadDocument } from '../../src/conversation/knowledge/knowledge.ts';
import { passagesOf } from '../../src/knowledge/reading/passages.ts';

/** A document as it was read. */
export function documentOf(id: string, text: string, title = id): ReadDocument {
  const passages = passagesOf(text, 'text');
  return { id, title, format: 'text', text, passages, createdAt: new Date('2026-01-31T12:00:00.000Z') };
}

const NEVER = new AbortController().signal;
const T = 'one-tenant';

/**
 * What each place for documents has to do, whoever is asked.
 *
 * @param open gives instances on the same documents, as many as there can be: the first one writes, the last one reads
 */
export function knowledgeContract(name: string, open: () => Promise<readonly Knowledge[]>): void {
  const start = async () => {
    const instances = await open();
    const [writer] = instances as [Knowledge];
    const reader = instances.at(-1) ?? writer;
    const found = async (q: string, tenant = T, collection = 'papers') => {
      const result = await reader.search(tenant, collection, q, { limit: 5, signal: NEVER });
      return result?.items.map(({ documentId }) => documentId);
    };
    return { instances, writer, reader, found };
  };

  describe(`11 knowledge on ${name}`, () => {
    it('finds what was put as soon as it is put, and nothing of it when it is gone', async () => {
      const { writer, reader, found } = await start();
      expect(await found('tram')).toBeUndefined();
      expect(await writer.put(T, 'papers', documentOf('a', 'A tram runs.'), undefined)).toEqual({
        outcome: 'kept',
      });
      await writer.put(T, 'papers', documentOf('b', 'A ship floats.'), undefined);
      expect(await found('tram')).toEqual(['a']);
      await writer.put(T, 'papers', documentOf('a', 'A bicycle runs.'), undefined);
      expect([await found('tram'), await found('bicycle')]).toEqual([[], ['a']]);
      expect(await reader.get(T, 'papers', 'a')).toMatchObject({
        id: 'a',
        text: 'A bicycle runs.',
        passages: 1,
      });
      expect(await writer.deleteDocument(T, 'papers', 'a')).toBe(true);
      expect(await writer.deleteDocument(T, 'papers', 'a')).toBe(false);
      expect([await found('bicycle'), await reader.get(T, 'papers', 'a')]).toEqual([[], undefined]);
      expect(await writer.deleteDocument(T, 'papers', 'b')).toBe(true);
      expect([await found('ship'), await reader.has(T, 'papers')]).toEqual([undefined, false]);
    });

    it('keeps tenants apart: same names, other documents, other scores', async () => {
      const { writer, reader, found } = await start();
      await writer.put(T, 'papers', documentOf('a', 'A tram runs.'), undefined);
      const options = { limit: 5, signal: NEVER };
      const alone = await reader.search(T, 'papers', 'tram runs fast', options);
      for (const id of ['a', 'b', 'c']) {
        await writer.put('other', 'papers', documentOf(id, `A tram runs fast, ${id}.`), undefined);
      }
      expect(await reader.search(T, 'papers', 'tram runs fast', options)).toEqual(alone);
      expect((await reader.collections(T, { limit: 10 })).items).toEqual([
        { collection: 'papers', documents: 1, passages: 1 },
      ]);
      expect(await writer.deleteCollection(T, 'papers')).toBe(true);
      expect(await writer.deleteCollection(T, 'papers')).toBe(false);
      expect([await found('tram'), (await found('tram', 'other'))?.length]).toEqual([undefined, 3]);
      expect(await reader.get(T, 'papers', 'b')).toBeUndefined();
    });

    it('lists documents by id and collections by name, page after page', async () => {
      const { writer, reader } = await start();
      const ids = ['c', 'a', 'd/x y', 'b', 'ü'];
      for (const id of ids) await writer.put(T, 'papers', documentOf(id, `Text ${id}.`), undefined);
      await writer.put(T, 'others', documentOf('a', 'Text.'), undefined);
      const seen: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await reader.documents(T, 'papers', { limit: 2, cursor });
        seen.push(...(page?.items.map(({ id }) => id) ?? []));
        if (!page?.nextCursor) break;
        cursor = page.nextCursor;
      }
      expect(seen).toEqual(ids.toSorted());
      const first = await reader.collections(T, { limit: 1 });
      expect(first).toEqual({
        items: [{ collection: 'others', documents: 1, passages: 1 }],
        nextCursor: 'others',
      });
      expect((await reader.collections(T, { limit: 1, cursor: 'others' })).nextCursor).toBeNull();
      expect(await reader.documents(T, 'unknown', { limit: 2 })).toBeUndefined();
    });

    it('makes one document of a request that comes twice, also at the same moment', async () => {
      const { instances, writer, reader } = await start();
      const request = { key: 'k', bodyHash: 'h' };
      const outcomes = await Promise.all(
        instances.map((each, index) => each.put(T, 'papers', documentOf(`d${index}`, 'A text.'), request)),
      );
      expect(outcomes.filter(({ outcome }) => outcome === 'kept')).toHaveLength(1);
      const { items } = (await reader.documents(T, 'papers', { limit: 10 })) ?? { items: [] };
      expect(items).toHaveLength(1);
      const id = items[0]?.id ?? '';
      expect(await reader.replayOf(T, request)).toEqual({ outcome: 'replayed', id });
      const other = { ...request, bodyHash: 'other' };
      expect(await writer.put(T, 'papers', documentOf('e', 'B.'), other)).toEqual({
        outcome: 'idempotency_mismatch',
      });
      expect(await reader.replayOf('other', request)).toBeUndefined();
      await writer.deleteDocument(T, 'papers', id);
      expect(await reader.replayOf(T, request)).toBeUndefined();
      expect(await writer.put(T, 'papers', documentOf('e', 'B.'), other)).toEqual({ outcome: 'kept' });
    });

    it('is the same for all after many have written at once', async () => {
      const { instances, reader } = await start();
      const names = Array.from({ length: 30 }, (_, index) => `d${index % 10}`);
      await Promise.all(
        names.map(async (id, index) => {
          const writer = instances[index % instances.length] as Knowledge;
          if (index % 7 === 6) await writer.deleteDocument(T, 'papers', id);
          else await writer.put(T, 'papers', documentOf(id, `Word${index} and tram.`), undefined);
        }),
      );
      const views = await Promise.all(
        instances.map(async (each) => [
          await each.documents(T, 'papers', { limit: 100 }),
          (await each.search(T, 'papers', 'tram', { limit: 50, signal: NEVER }))?.items
            .map(({ text }) => text)
            .sort(),
        ]),
      );
      for (const view of views) expect(view).toEqual(views[0]);
      const [counted] = (await reader.collections(T, { limit: 1 })).items;
      const count = (await reader.documents(T, 'papers', { limit: 100 }))?.items.length;
      expect(counted).toEqual({ collection: 'papers', documents: count, passages: count });
    });
  });
}
