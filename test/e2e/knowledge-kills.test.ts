import { once } from 'node:events';
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type {
  CollectionSummary,
  DocumentSummary,
  DocumentWithText,
  PassageList,
} from '../../src/protocol/knowledge.ts';
import { call } from '../fixtures/http.ts';
import { addDocument } from '../fixtures/knowledge/documents.ts';
import { startEmbeddings } from '../fixtures/knowledge/embeddings.ts';
import { seededRandom } from '../fixtures/random.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

const DOCUMENTS = '/knowledge/papers/documents';
const OLD = { id: 'a', title: 'A', text: 'The aubergine is here.' };

/** So large that it takes a while to be read, and many writes to be kept. */
function largeText(): string {
  const random = seededRandom(11);
  const words = Array.from({ length: 300_000 }, () => `w${Math.floor(random() * 5000).toString(36)}`);
  return `The zucchini. ${words.join(' ')} The kohlrabi.`;
}
const NEW = { id: 'a', title: 'A', text: largeText() };

/** Sends it without waiting for an answer: `sent` when all of it is on its way, `answered` with the status. */
function send(
  url: string,
  body: object,
  key: string,
): { sent: Promise<unknown>; answered: Promise<number | undefined> } {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const outgoing = request(new URL(DOCUMENTS, url), { method: 'POST', headers });
  const { promise: answered, resolve } = Promise.withResolvers<number | undefined>();
  outgoing.on('error', () => resolve(undefined));
  outgoing.on('response', (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  const sent = once(outgoing, 'finish');
  outgoing.end(JSON.stringify(body));
  return { sent, answered };
}

/** Waits until the file has changed so many times, or there is an answer. */
async function changed(file: string, times: number, answered: Promise<unknown>): Promise<void> {
  let last = statSync(file).mtimeMs;
  for (let left = times; left > 0; ) {
    if ((await Promise.race([answered.then(() => 'answered'), delay(1)])) === 'answered') return;
    const now = statSync(file).mtimeMs;
    if (now !== last) left--;
    last = now;
  }
}

/** What is there: the whole of one of the two, wherever one looks. */
async function stateOf(url: string): Promise<'old' | 'new'> {
  const document = (await call(url, `${DOCUMENTS}/a`)).body as DocumentWithText;
  const isNew = document.text !== OLD.text;
  expect(document.text === (isNew ? NEW.text : OLD.text)).toBe(true);
  const { items } = (await call(url, '/knowledge')).body as { items: CollectionSummary[] };
  expect(items).toEqual([{ collection: 'papers', documents: 1, passages: document.passages }]);
  for (const [word, isThere] of [
    ['aubergine', !isNew],
    ['zucchini', isNew],
    ['kohlrabi', isNew],
  ] as const) {
    const found = (await call(url, `/knowledge/papers/search?q=${word}`)).body as PassageList;
    expect(found.items.map(({ text }) => text.includes(word))).toEqual(isThere ? [true] : []);
  }
  return isNew ? 'new' : 'old';
}

it('11.1: a kill -9 while a document is taken leaves the one before or the whole of it, and it can be sent again', async () => {
  const DATA_DIR = temporaryFolder();
  const left: string[] = [];
  // When all of it was sent, and when the log of the file has been written to so many times.
  for (const [round, times] of [0, 1, 4].entries()) {
    const server = await startServer({ DATA_DIR });
    await addDocument(server.url, 'papers', OLD);
    const { sent, answered } = send(server.url, NEW, `round ${round}`);
    await sent;
    await changed(join(DATA_DIR, 'knowledge.sqlite-wal'), times, answered);
    await server.stop('SIGKILL');
    const again = await startServer({ DATA_DIR });
    const state = await stateOf(again.url);
    left.push(state);
    // What was acknowledged is there.
    expect((await answered) === 201 ? state : 'new').toBe('new');
    const repeated = await call(again.url, DOCUMENTS, {
      body: NEW,
      headers: { 'idempotency-key': `round ${round}` },
    });
    expect([repeated.status, (repeated.body as DocumentSummary).characters]).toEqual([201, NEW.text.length]);
    expect(await stateOf(again.url)).toBe('new');
    await again.stop();
  }
  expect(left).toContain('old');
}, 120_000);

it('11.2: a kill -9 while vectors are made leaves those that are there; the others are made by the next process', async () => {
  const DATA_DIR = temporaryFolder();
  const vendor = await startEmbeddings();
  const environment = { ...vendor.environment, DATA_DIR };
  const server = await startServer(environment);
  const sections = Array.from({ length: 200 }, (_, n) => `## Part ${n}\n\nThis is passage number ${n}.`);
  const body = { id: 'a', title: 'A', format: 'markdown', text: sections.join('\n\n') };
  const { answered } = send(server.url, body, 'once');
  while (vendor.calls.length < 2) await vendor.arrived();
  vendor.behaviour = 'hangs';
  while (vendor.calls.length < 3) await vendor.arrived();
  await server.stop('SIGKILL');
  expect(await answered).toBeUndefined();
  vendor.behaviour = 'answers';
  const again = await startServer(environment);
  expect((await call(again.url, `${DOCUMENTS}/a`)).body).toMatchObject({ passages: 200 });
  const texts = (): string[] => vendor.calls.flatMap(({ input }) => input);
  await expect.poll(() => new Set(texts()).size, { timeout: 20_000 }).toBe(200);
  // Of what was kept nothing is made again.
  expect(texts()).toHaveLength(200 + 64);
  const found = (await call(again.url, '/knowledge/papers/search?q=number+150')).body as PassageList;
  expect([found.degraded, found.items[0]?.passage]).toEqual([undefined, 151]);
}, 60_000);
