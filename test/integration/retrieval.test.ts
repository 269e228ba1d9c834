import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { readDocument } from '../../src/knowledge/reading/read.ts';
import { formatOfKind, retrievalSet } from '../fixtures/retrieval/set.ts';
import { temporaryFolder } from '../fixtures/server.ts';

const LIMIT = 5;

it('11.2: BM25 finds the document that answers a question among the first five', async () => {
  const { documents, questions } = retrievalSet();
  const knowledge = new LocalKnowledge(join(temporaryFolder(), 'knowledge.sqlite'), { isDurable: false });
  onTestFinished(() => knowledge.close());
  for (const { id, title, kind, text } of documents) {
    const format = formatOfKind(kind);
    const read = await readDocument({ format, content: text });
    const createdAt = new Date('2026-01-31T12:00:00.000Z');
    await knowledge.put('tenant', 'set', { id, title, format, createdAt, ...read }, undefined);
  }
  const hits = new Map<string, boolean[]>();
  for (const { text, document, language, made } of questions) {
    const { signal } = new AbortController();
    const found = await knowledge.search('tenant', 'set', text, { limit: LIMIT, signal });
    const isFound = found?.items.some(({ documentId }) => documentId === document) ?? false;
    for (const group of ['all', made, `${language} ${made}`]) {
      hits.set(group, [...(hits.get(group) ?? []), isFound]);
    }
  }
  const recall = (group: string): number => {
    const asked = hits.get(group) ?? [];
    return asked.filter(Boolean).length / asked.length;
  };
  const table = [...hits].map(([group, asked]) => `${group} (${asked.length}): ${recall(group).toFixed(3)}`);
  console.info(`recall@${LIMIT}, ${documents.length} documents: ${table.join(', ')}`);
  expect(recall('template')).toBeGreaterThan(0.95);
  expect(recall('by hand')).toBeGreaterThan(0.48);
  expect(recall('all')).toBeGreaterThan(0.6);
});
