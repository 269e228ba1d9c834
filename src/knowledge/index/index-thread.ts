import { parentPort, workerData } from 'node:worker_threads';
import { IndexFile } from './file.ts';
import type { Answered, Asked, Opening } from './messages.ts';
import { openIndexFile } from './open.ts';
import { PlacedVectors } from './placed.ts';
import { IndexReader } from './reader.ts';
import { PassageIndex } from './search.ts';
import { VectorTable } from './vectors.ts';

// One thread writes, another one reads, each with a connection of its own: a large document that is being written
// keeps no search waiting.
const { path, isDurable } = workerData as Opening;
const database = openIndexFile(path, isDurable);
const file = new IndexFile(database);
const reader = new IndexReader(database);
const vectors = new VectorTable(database);
const placed = new PlacedVectors(database);
const words = new PassageIndex(database, vectors);

/** What can be asked of the thread. */
const verbs = {
  replayOf: file.replayOf.bind(file),
  put: file.put.bind(file),
  get: reader.get.bind(reader),
  documents: reader.documents.bind(reader),
  collections: reader.collections.bind(reader),
  has: reader.has.bind(reader),
  deleteDocument: file.deleteDocument.bind(file),
  deleteCollection: file.deleteCollection.bind(file),
  clear: file.clear.bind(file),
  withoutVectors: vectors.withoutVectors.bind(vectors),
  keepVectors: vectors.keepVectors.bind(vectors),
  lengthOf: vectors.lengthOf.bind(vectors),
  dropVectorsBut: vectors.dropVectorsBut.bind(vectors),
  space: placed.space.bind(placed),
  unplaced: placed.unplaced.bind(placed),
  place: placed.place.bind(placed),
  superfluous: placed.superfluous.bind(placed),
  displace: placed.displace.bind(placed),
  unknown: placed.unknown.bind(placed),
  search: words.search.bind(words),
  close: () => {
    database.close();
  },
};

export type IndexVerbs = typeof verbs;

parentPort?.on('message', ({ id, verb, given }: Asked) => {
  parentPort?.postMessage(answer(id, verb, given), []);
});

function answer(id: number, verb: string, given: unknown[]): Answered {
  try {
    const work = verbs[verb as keyof IndexVerbs] as (...given: unknown[]) => unknown;
    return { id, result: work(...given) };
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    return { id, failure: { code, message } };
  }
}
