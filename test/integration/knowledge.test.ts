import { describe, expect, it } from 'vitest';
import {
  collectionList,
  documentList,
  documentSummary,
  documentWithText,
  passageList,
} from '../../src/protocol/knowledge.ts';
import { create, ended, keeping } from '../fixtures/conversation-routes.ts';
import { type Call, call } from '../fixtures/http.ts';
import { addDocument, form } from '../fixtures/knowledge/documents.ts';
import { scriptedVendor } from '../fixtures/knowledge/vendor.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

const TRAMS = `# Trams of Zurich

The first horse tram of Zurich ran in 1882. It had eight seats.

## Electric

The first electric tram ran in 1894 to Hirslanden. 😀 Its driver was called Vögeli.
`;
const trams = { id: 'trams', title: 'Trams', text: TRAMS, format: 'markdown' };

const search = async (url: string, collection: string, q: string, more = '') => {
  const path = `/knowledge/${collection}/search?q=${encodeURIComponent(q)}${more}`;
  return keeping(passageList, await call(url, path)).items;
};

describe('11.1 documents', () => {
  it('are taken as JSON, listed, given with their text, and removed with their collection', async () => {
    const { url } = await startServer();
    const body = { ...trams, url: 'https://example.com/trams', metadata: { year: 1894, kind: 'article' } };
    const answer = await call(url, '/knowledge/papers/documents', { body });
    expect([answer.status, answer.headers['location']]).toEqual([201, '/knowledge/papers/documents/trams']);
    const made = keeping(documentSummary, answer);
    expect(made).toMatchObject({ id: 'trams', title: 'Trams', passages: 2, characters: TRAMS.length });
    await addDocument(url, 'papers', { title: 'Ships', text: 'A ship of the lake is called Panta Rhei.' });
    await addDocument(url, 'other', { title: 'Soup', text: 'Soup is hot.' });

    const lists = keeping(collectionList, await call(url, '/knowledge'));
    expect(lists.items).toEqual([
      { collection: 'other', documents: 1, passages: 1 },
      { collection: 'papers', documents: 2, passages: 3 },
    ]);
    const first = keeping(documentList, await call(url, '/knowledge/papers/documents?limit=1'));
    const next = `/knowledge/papers/documents?limit=1&cursor=${encodeURIComponent(first.nextCursor ?? '')}`;
    const second = keeping(documentList, await call(url, next));
    expect([...first.items, ...second.items].map(({ title }) => title).sort()).toEqual(['Ships', 'Trams']);
    expect(second.nextCursor).toBeNull();
    const whole = keeping(documentWithText, await call(url, '/knowledge/papers/documents/trams'));
    expect(whole).toMatchObject({ ...made, text: TRAMS, format: 'markdown', collection: 'papers' });

    const gone = await call(url, '/knowledge/papers/documents/trams', { method: 'DELETE' });
    expect(gone.status).toBe(204);
    expect((await call(url, '/knowledge/papers/documents/trams')).status).toBe(404);
    expect(await search(url, 'papers', 'first electric tram')).toEqual([]);
    expect((await call(url, '/knowledge/papers', { method: 'DELETE' })).status).toBe(204);
    for (const path of ['/knowledge/papers/documents', '/knowledge/papers/search?q=ship']) {
      expect((await call(url, path)).status).toBe(404);
    }
    expect((await call(url, '/knowledge/papers', { method: 'DELETE' })).status).toBe(404);
    expect(keeping(collectionList, await call(url, '/knowledge')).items).toHaveLength(1);
  });

  it('with the same id replace the one before', async () => {
    const { url } = await startServer();
    await addDocument(url, 'papers', trams);
    await addDocument(url, 'papers', { ...trams, title: 'Boats', text: 'Boats float on the Limmat.' });
    expect(keeping(collectionList, await call(url, '/knowledge')).items).toEqual([
      { collection: 'papers', documents: 1, passages: 1 },
    ]);
    expect(await search(url, 'papers', 'electric tram')).toEqual([]);
    expect(await search(url, 'papers', 'Limmat')).toMatchObject([{ documentId: 'trams', title: 'Boats' }]);
  });

  it('are made once for an Idempotency-Key, whatever the format', async () => {
    const { url } = await startServer();
    const headers = { 'idempotency-key': 'a key' };
    const post = (sent: Call) => call(url, '/knowledge/papers/documents', sent);
    const { id: _, ...unnamed } = trams;
    const first = await post({ body: unnamed, headers });
    const again = await post({ body: unnamed, headers });
    expect([again.status, again.headers['idempotency-replayed']]).toEqual([201, 'true']);
    expect(again.body).toEqual(first.body);
    expect((await post({ body: { ...unnamed, title: 'T' }, headers })).status).toBe(422);
    expect(
      (
        await post({
          ...form('a.txt', 'A text.'),
          headers: { ...form('a.txt', 'A text.').headers, ...headers },
        })
      ).status,
    ).toBe(422);
    const { id } = first.body as { id: string };
    await call(url, `/knowledge/papers/documents/${id}`, { method: 'DELETE' });
    const anew = await post({ body: unnamed, headers });
    expect([anew.status, anew.headers['idempotency-replayed']]).toEqual([201, undefined]);
    expect((await post({ body: unnamed, headers: { 'idempotency-key': '' } })).status).toBe(400);
  });

  it('stay through a restart', async () => {
    const DATA_DIR = temporaryFolder();
    const before = await startServer({ DATA_DIR });
    await addDocument(before.url, 'papers', trams);
    await before.stop();
    const { url } = await startServer({ DATA_DIR });
    expect(await search(url, 'papers', 'Vogeli')).toMatchObject([{ documentId: 'trams', passage: 2 }]);
  });

  it('that are no documents are a 400 that names what is wrong', async () => {
    const { url } = await startServer();
    const cases: [unknown, string][] = [
      [{ text: 'x' }, 'title'],
      [{ title: 'x' }, 'text'],
      [{ title: 'x', text: '   ' }, 'text'],
      [{ title: 'x', text: '\u0000\u0001' }, 'text'],
      [{ title: 'two\nlines', text: 'x' }, 'title'],
      [{ title: 'x', text: '<script>alert(1)</script>', format: 'html' }, 'text'],
      [{ title: 'x', text: 'x', format: 'rtf' }, 'format'],
      [{ title: 'x', text: 'x', url: 'javascript:alert(1)' }, 'url'],
      [{ title: 'x', text: 'x', id: '..' }, 'id'],
      [{ title: 'x', text: 'x', metadata: { deep: {} } }, 'metadata.deep'],
      [{ title: 'x', text: 'x', more: 1 }, 'more'],
    ];
    for (const [body, path] of cases) {
      const { status, body: problem } = await call(url, '/knowledge/papers/documents', { body });
      expect([status, (problem as { errors: { path: string }[] }).errors[0]?.path]).toEqual([400, path]);
    }
    const named = await call(url, '/knowledge/No%20Name/documents', { body: { title: 'x', text: 'x' } });
    expect([named.status, named.body]).toMatchObject([400, { errors: [{ path: 'collection' }] }]);
    expect(keeping(collectionList, await call(url, '/knowledge')).items).toEqual([]);
  });
});

describe('11.2 search', () => {
  it('finds passages best first, with offsets into the text and scores from 0 to 1', async () => {
    const { url } = await startServer();
    await addDocument(url, 'papers', trams);
    await addDocument(url, 'papers', { title: 'Cheese', text: 'Cheese is made of milk.' });
    const found = await search(url, 'papers', 'When did the first electric tram run?');
    expect(found.map(({ documentId, passage }) => [documentId, passage])).toEqual([
      ['trams', 2],
      ['trams', 1],
    ]);
    for (const { text, from, to, score } of found) {
      expect(TRAMS.slice(from, to)).toBe(text);
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
    }
    expect(found[0]?.score).toBeGreaterThan(found[1]?.score ?? 1);
    expect(await search(url, 'papers', 'first electric tram', '&limit=1')).toHaveLength(1);
    expect(await search(url, 'papers', 'VÖGELI')).toHaveLength(1);
    expect(await search(url, 'papers', '!?')).toEqual([]);
    expect(await search(url, 'papers', '"unclosed AND (NOT NEAR* tram')).not.toEqual([]);
    expect((await call(url, '/knowledge/papers/search?q=%20')).status).toBe(400);
    expect((await call(url, '/knowledge/unknown/search?q=x')).status).toBe(404);
  });

  it('finds words of two characters in Chinese, Japanese and Korean', async () => {
    const { url } = await startServer();
    await addDocument(url, 'asia', {
      id: 'zh',
      title: '城市',
      text: '苏黎世是瑞士最大的城市，第一条电车线路于一八八二年开通。',
    });
    await addDocument(url, 'asia', {
      id: 'ja',
      title: '都市',
      text: '東京タワーは一九五八年に完成した電波塔である。',
    });
    await addDocument(url, 'asia', {
      id: 'ko',
      title: '도시',
      text: '서울의 첫 전차는 천팔백구십구년에 개통되었다.',
    });
    const first = async (q: string) => (await search(url, 'asia', q))[0]?.documentId;
    expect(await Promise.all(['电车', '電波', '전차'].map(first))).toEqual(['zh', 'ja', 'ko']);
  });
});

describe('11.3 agents that have read something', () => {
  it('are shown numbered passages apart from the talk, and their sources are named', async () => {
    const vendor = await scriptedVendor(['It ran in 1894 [1].', 'I see nothing of that.']);
    const { url } = await startServer(vendor.environment);
    await addDocument(url, 'papers', trams);
    const agents = [
      { provider: 'local', name: 'Ada', knowledge: [{ collection: 'papers' }] },
      { provider: 'local', name: 'Ben' },
    ];
    const { made } = await create(url, { topic: 'The first electric tram', agents, maxTurns: 2 });
    await ended(url, made.id);
    const { items } = (await call(url, `/conversations/${made.id}/messages`)).body as {
      items: { metadata: { sources?: unknown[] } }[];
    };
    expect(items[1]?.metadata.sources?.[0]).toMatchObject({
      n: 1,
      collection: 'papers',
      documentId: 'trams',
      title: 'Trams',
      passage: 2,
      cited: true,
    });
    expect(items[1]?.metadata.sources?.[1]).not.toHaveProperty('cited');
    expect(items[2]?.metadata).not.toHaveProperty('sources');
    const [ada, ben] = vendor.prompts;
    expect(ada?.system).not.toContain('1894');
    expect(ada?.last).toContain('[1] Trams (papers, passage 2)\n> ## Electric');
    expect(ada?.last).toMatch(/\n\nModerator: The first electric tram$/);
    expect(ben?.last).not.toContain('Hirslanden');
  });

  it('are told when nothing is found, and look up no more than they may', async () => {
    const vendor = await scriptedVendor(['Nothing [1].', 'Well.', 'Fine.']);
    const { url } = await startServer(vendor.environment);
    await addDocument(url, 'papers', trams);
    const agents = [
      { provider: 'local', name: 'Ada', knowledge: [{ collection: 'papers', minScore: 1 }] },
      { provider: 'local', name: 'Ben', knowledge: [{ collection: 'papers', passages: 1 }] },
    ];
    const { made } = await create(url, { topic: 'The first electric tram of Mars?', agents, maxTurns: 2 });
    await ended(url, made.id);
    const { items } = (await call(url, `/conversations/${made.id}/messages`)).body as {
      items: { metadata: { sources?: unknown[] } }[];
    };
    expect(items[1]?.metadata.sources).toEqual([]);
    expect(items[2]?.metadata.sources).toHaveLength(1);
    expect(vendor.prompts[0]?.last).toContain('nothing was found');
  });

  it('name collections that there are, and go on where one goes away later', async () => {
    const vendor = await scriptedVendor(['One.', 'Two.']);
    const { url } = await startServer(vendor.environment);
    const body = { topic: 'x', knowledge: [{ collection: 'papers' }] };
    const refused = await call(url, '/conversations', { body });
    expect([refused.status, refused.body]).toMatchObject([
      400,
      { errors: [{ path: 'knowledge.0.collection' }] },
    ]);
    await addDocument(url, 'papers', trams);
    const agents = [
      { provider: 'human', name: 'Me' },
      { provider: 'local', name: 'Ada' },
    ];
    const { made } = await create(url, { ...body, topic: 'tram', agents, maxTurns: 2 });
    await call(url, '/knowledge/papers', { method: 'DELETE' });
    await call(url, `/conversations/${made.id}/messages`, { body: { sender: 'Me', content: 'The tram?' } });
    await ended(url, made.id);
    const { items } = (await call(url, `/conversations/${made.id}/messages`)).body as {
      items: { metadata: { sources?: unknown[] } }[];
    };
    expect(items.at(-1)?.metadata.sources).toEqual([]);
  });

  it('5.2 the embedded pair quotes what it finds, with its number', async () => {
    const { url } = await startServer();
    await addDocument(url, 'papers', trams);
    const topic = 'When did the first electric tram of Zurich run?';
    const { made } = await create(url, { topic, maxTurns: 2, knowledge: [{ collection: 'papers' }] });
    await ended(url, made.id);
    const { items } = (await call(url, `/conversations/${made.id}/messages`)).body as {
      items: { content: string; metadata: { sources?: { n: number; cited?: true }[] } }[];
    };
    for (const { content, metadata } of items.slice(1)) {
      const cited = metadata.sources?.filter((source) => source.cited) ?? [];
      expect(cited).toHaveLength(1);
      expect(content).toContain(`" [${cited[0]?.n}]`);
    }
  });
});
