import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { IndexFile } from '../../src/knowledge/index/file.ts';
import { openIndexFile } from '../../src/knowledge/index/open.ts';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { documentOf } from '../contract/knowledge.ts';
import { temporaryFolder } from '../fixtures/server.ts';

it('11.2: a file whose words were compared as they stand is made anew, and finds them inflected', async () => {
  const path = join(temporaryFolder(), 'knowledge.sqlite');
  const database = openIndexFile(path, false);
  const file = new IndexFile(database);
  file.put('t', 'papers', documentOf('a', 'Zwei Straßenbahnen fuhren.'), undefined);
  file.put('t', 'others', documentOf('b', 'Ein Schiff.'), undefined);
  // As it was before.
  for (const key of [1, 2]) {
    database.exec(
      `DROP TABLE vocabulary_${key}; DROP TABLE words_${key};
       CREATE VIRTUAL TABLE words_${key} USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii');
       CREATE VIRTUAL TABLE vocabulary_${key} USING fts5vocab (words_${key}, 'row');`,
    );
  }
  database.exec('ALTER TABLE passages DROP COLUMN folded');
  database.pragma('user_version = 2');
  database.close();
  const knowledge = new LocalKnowledge(path);
  onTestFinished(() => knowledge.close());
  const search = async (collection: string, q: string) => {
    const { signal } = new AbortController();
    return (await knowledge.search('t', collection, q, { limit: 5, signal }))?.items.map(
      ({ documentId }) => documentId,
    );
  };
  expect(await search('papers', 'Straßenbahn')).toEqual(['a']);
  expect(await search('others', 'Schiffe')).toEqual(['b']);
  await knowledge.put('t', 'papers', documentOf('c', 'Eine Straßenbahn.'), undefined);
  expect(await search('papers', 'strassenbahn')).toEqual(['c', 'a']);
  expect(await knowledge.deleteDocument('t', 'papers', 'a')).toBe(true);
  expect(await search('papers', 'Straße')).toEqual(['c']);
});
