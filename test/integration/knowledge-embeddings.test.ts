import { expect, it, onTestFinished } from 'vitest';
import type { PassageList } from '../../src/protocol/knowledge.ts';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { addDocument } from '../fixtures/knowledge/documents.ts';
import { startEmbeddings } from '../fixtures/knowledge/embeddings.ts';
import { startRedis } from '../fixtures/redis.ts';
import { failToStart, startServer, temporaryFolder } from '../fixtures/server.ts';

const DOCUMENTS = [
  { id: 'trams', title: 'Rails', text: 'A streetcar runs on rails through the town.' },
  { id: 'ships', title: 'Water', text: 'A vessel floats on the lake of the town.' },
];

async function search(url: string, q: string): Promise<PassageList> {
  const answer = await call(url, `/knowledge/papers/search?q=${encodeURIComponent(q)}`);
  expect(answer.status).toBe(200);
  return answer.body as PassageList;
}

it('11.2 with a model of embeddings finds what means the same, best first, scores from 0 to 1', async () => {
  const vendor = await startEmbeddings();
  const { url } = await startServer(vendor.environment);
  for (const document of DOCUMENTS) await addDocument(url, 'papers', document);
  const { items, degraded } = await search(url, 'tram');
  expect([items[0]?.documentId, degraded]).toEqual(['trams', undefined]);
  expect(items.map(({ score }) => score).every((score) => score > 0 && score <= 1)).toBe(true);
  const both = await search(url, 'vessel');
  expect(both.items[0]).toMatchObject({ documentId: 'ships', score: 1 });
});

it('11.2 a vendor that is away leaves BM25, marked; vectors are made when it is back', async () => {
  const vendor = await startEmbeddings();
  const { url } = await startServer({ ...vendor.environment, CIRCUIT_OPEN_SECONDS: '0.2' });
  for (const behaviour of ['fails', 'limits', 'no json', 'wrong dimensions'] as const) {
    vendor.behaviour = behaviour;
    await addDocument(url, 'papers', { ...DOCUMENTS[0], id: behaviour });
  }
  vendor.behaviour = 'fails';
  await addDocument(url, 'papers', DOCUMENTS[1] as object);
  const degraded = await search(url, 'vessel boat');
  expect([degraded.degraded, degraded.items[0]?.documentId]).toEqual([true, 'ships']);
  const agents = [{ provider: 'embedded' }, { provider: 'embedded' }];
  const { made } = await create(url, {
    agents,
    topic: 'A vessel?',
    maxTurns: 1,
    knowledge: [{ collection: 'papers' }],
  });
  await ended(url, made.id);
  const { items } = (await call(url, `/conversations/${made.id}/messages`)).body as {
    items: { metadata: { degraded?: boolean; sources?: object[] } }[];
  };
  expect(items[1]?.metadata).toMatchObject({ degraded: true });
  expect(items[1]?.metadata.sources?.[0]).toMatchObject({ documentId: 'ships', n: 1 });
  vendor.behaviour = 'answers';
  await expect.poll(async () => (await search(url, 'boat')).items[0]?.documentId).toBe('ships');
  expect((await search(url, 'boat')).degraded).toBeUndefined();
});

it('11.2 a vendor that limits, breaks off or does not answer leaves BM25, marked, each time; then all is made good', async () => {
  const vendor = await startEmbeddings();
  const { url } = await startServer({
    ...vendor.environment,
    CALL_TIMEOUT_SECONDS: '0.5',
    CIRCUIT_OPEN_SECONDS: '0.2',
    RETRY_FIRST_DELAY_MS: '1',
  });
  await addDocument(url, 'papers', { id: 'first', title: 'First', text: 'A boat sinks.' });
  for (const behaviour of ['hangs', 'limits', 'no json', 'others for all'] as const) {
    vendor.behaviour = behaviour;
    await addDocument(url, 'papers', { ...DOCUMENTS[1], id: behaviour });
    const { items, degraded } = await search(url, 'lake');
    expect({ behaviour, degraded, found: items.length }).toMatchObject({ degraded: true });
    expect(items.map(({ documentId }) => documentId)).toContain(behaviour);
  }
  vendor.behaviour = 'answers';
  await expect.poll(async () => (await search(url, 'schiff')).items.length, { timeout: 10_000 }).toBe(5);
  expect((await search(url, 'schiff')).degraded).toBeUndefined();
});

it('11.2 what was embedded once is not again, and all of it is when the model changes', async () => {
  const vendor = await startEmbeddings();
  const DATA_DIR = temporaryFolder();
  const first = await startServer({ ...vendor.environment, DATA_DIR });
  for (const document of DOCUMENTS) await addDocument(first.url, 'papers', document);
  const texts = () => vendor.calls.flatMap(({ input, model }) => input.map((text) => `${model} ${text}`));
  expect(texts()).toHaveLength(2);
  await addDocument(first.url, 'papers', DOCUMENTS[0] as object);
  await addDocument(first.url, 'others', DOCUMENTS[0] as object);
  expect(texts()).toHaveLength(2);
  await first.stop();
  const again = await startServer({ ...vendor.environment, DATA_DIR, EMBEDDINGS_MODEL: 'other' });
  await expect.poll(() => texts().filter((text) => text.startsWith('other ')).length).toBe(2);
  await expect.poll(async () => (await search(again.url, 'boat')).items[0]?.documentId).toBe('ships');
});

it('11.2 with Redis an instance uses the vectors that another one made', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const vendor = await startEmbeddings();
  const environment = { ...vendor.environment, REDIS_URL: redis.url };
  const [one, other] = await Promise.all([startServer(environment), startServer(environment)]);
  for (const document of DOCUMENTS) await addDocument(one.url, 'papers', document);
  await expect.poll(async () => (await search(one.url, 'boat')).items[0]?.documentId).toBe('ships');
  await expect.poll(async () => (await search(other.url, 'boat')).items[0]?.documentId).toBe('ships');
  const passages = vendor.calls.flatMap(({ input }) => input).filter((text) => text.includes('\n'));
  expect(passages).toHaveLength(2);
});

it('6 a provider of embeddings that is not configured stops the start', async () => {
  const { code, errors } = await failToStart({ EMBEDDINGS_PROVIDER: 'chatgpt' });
  expect([code === 0, errors]).toEqual([false, expect.stringContaining('OPENAI_API_KEY')]);
});
