import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Embedder } from '../../src/conversation/knowledge/embedder.ts';
import type { ReadDocument } from '../../src/conversation/knowledge/knowledge.ts';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { readDocument } from '../../src/knowledge/reading/read.ts';
import { wordEmbedder } from '../fixtures/knowledge/embedder.ts';
import { formatOfKind, retrievalSet } from '../fixtures/retrieval/set.ts';
import { temporaryFolder } from '../fixtures/server.ts';

const LIMIT = 5;
const { documents, questions } = retrievalSet();

let read: ReadDocument[];
beforeAll(async () => {
  read = await Promise.all(
    documents.map(async ({ id, title, kind, text }) => {
      const format = formatOfKind(kind);
      const createdAt = new Date('2026-01-31T12:00:00.000Z');
      return { id, title, format, createdAt, ...(await readDocument({ format, content: text })) };
    }),
  );
});

/**
 * The share of questions whose document is among the first five, by group. Numbers of the ranking were chosen by
 * every other question; those between are the ones that count.
 */
async function recalls(embedder?: Embedder): Promise<(group: string) => number> {
  const path = join(temporaryFolder(), 'knowledge.sqlite');
  const knowledge = new LocalKnowledge(path, { isDurable: false, embedder });
  onTestFinished(() => knowledge.close());
  for (const document of read) await knowledge.put('tenant', 'set', document, undefined);
  const hits = new Map<string, boolean[]>();
  const { signal } = new AbortController();
  // Vectors are made behind what was put.
  const search = (text: string) => knowledge.search('tenant', 'set', text, { limit: LIMIT, signal });
  const probe = documents[0]?.title ?? '';
  await expect.poll(async () => (await search(probe))?.degraded).toBe(false);
  for (const [index, { text, document, language, made }] of questions.entries()) {
    const found = await search(text);
    const isFound = found?.items.some(({ documentId }) => documentId === document) ?? false;
    const half = index % 2 === 0 ? 'tuned on' : 'held out';
    for (const group of ['all', half, made, `${half} ${made}`, `${half} ${language} ${made}`]) {
      hits.set(group, [...(hits.get(group) ?? []), isFound]);
    }
  }
  const recall = (group: string): number => {
    const asked = hits.get(group) ?? [];
    return asked.filter(Boolean).length / asked.length;
  };
  const table = [...hits].map(([group, asked]) => `${group} (${asked.length}): ${recall(group).toFixed(3)}`);
  console.info(
    `recall@${LIMIT} by ${embedder ? 'words and vectors' : 'words'}, ${documents.length} documents: ${table.join(', ')}`,
  );
  return recall;
}

describe('11.2: the document that answers a question is among the first five', () => {
  it('by its words', async () => {
    const recall = await recalls();
    expect(recall('template')).toBeGreaterThan(0.95);
    expect(recall('held out')).toBeGreaterThanOrEqual(0.75);
    expect(recall('held out by hand')).toBeGreaterThan(0.68);
  });

  it('by its words and the vectors of a model that knows no language', async () => {
    const recall = await recalls(wordEmbedder());
    expect(recall('template')).toBeGreaterThan(0.9);
    expect(recall('held out')).toBeGreaterThan(0.52);
  });
});
