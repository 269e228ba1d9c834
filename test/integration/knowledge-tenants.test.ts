import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CollectionSummary, PassageList } from '../../src/protocol/knowledge.ts';
import type { Message } from '../../src/protocol/message.ts';
import { call } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startEmbeddings } from '../fixtures/knowledge/embeddings.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';

const acme = keyOf('acme', 'acme');
const globex = keyOf('globex', 'globex');
const admin = keyOf('ops', 'admin', ['admin']);
/** What nobody but acme is to read. */
const SECRET = 'The vessel Panta Rhei carries 700 people.';

describe.each(['words', 'words and vectors'])(
  '8.4, 11.1: documents of a tenant, found by their %s',
  (kind) => {
    let server: ServerProcess;
    beforeAll(async () => {
      const cleanups: (() => unknown)[] = [];
      afterAll(async () => {
        for (const cleanup of cleanups.reverse()) await cleanup();
      });
      const whenOver = (cleanup: () => unknown): void => void cleanups.push(cleanup);
      const vendor = kind === 'words' ? undefined : await startEmbeddings(whenOver);
      server = await startServer({ ...vendor?.environment, API_KEYS: listed(acme, globex, admin) }, whenOver);
      const body = { id: 'a', title: 'Ships', text: SECRET };
      const headers = { ...acme.headers, 'idempotency-key': 'the same' };
      const add = (collection: string, headers: Record<string, string>, document: object) =>
        call(server.url, `/knowledge/${collection}/documents`, { headers, body: document });
      await add('ships', acme.headers, body);
      await add('both', headers, body);
      // The same names, and the same key of a request, are another document here.
      const mine = { id: 'b', title: 'Boats', text: 'A vessel floats.' };
      await add('both', { ...globex.headers, 'idempotency-key': 'the same' }, mine);
    });

    const asked = async (path: string, method = 'GET', body?: object) =>
      await call(server.url, path, { method, headers: globex.headers, body });

    it('are no other’s: not listed, read, searched, or removed', async () => {
      for (const [method, path] of [
        ['GET', '/knowledge/ships/documents'],
        ['GET', '/knowledge/ships/documents/a'],
        ['GET', '/knowledge/ships/search?q=Panta+Rhei'],
        ['GET', '/knowledge/both/documents/a'],
        ['DELETE', '/knowledge/ships/documents/a'],
        ['DELETE', '/knowledge/both/documents/a'],
        ['DELETE', '/knowledge/ships'],
      ] as const) {
        const answer = await asked(path, method);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(answer.text).not.toContain('Panta');
      }
      const { items } = (await asked('/knowledge')).body as { items: CollectionSummary[] };
      expect(items).toEqual([{ collection: 'both', documents: 1, passages: 1 }]);
      const found = (await asked('/knowledge/both/search?q=vessel+Panta+Rhei+boat')).body as PassageList;
      expect(found.items.map(({ documentId }) => documentId)).toEqual(['b']);
      const still = await call(server.url, '/knowledge/ships/documents/a', acme);
      expect(still.body).toMatchObject({ text: SECRET });
    });

    it('are not looked up in another’s talk, whoever names them', async () => {
      const pair = (knowledge?: object) => [
        { provider: 'embedded', name: 'Ada', ...(knowledge ? { knowledge } : {}) },
        { provider: 'embedded', name: 'Ben' },
      ];
      const ships = [{ collection: 'ships' }];
      const bodies = [
        { topic: 'Panta Rhei?', knowledge: ships },
        { topic: 'Panta Rhei?', agents: pair(ships) },
      ];
      for (const body of bodies) {
        const { status, text } = await asked('/conversations', 'POST', body);
        expect([status, text]).toEqual([400, expect.stringContaining('is no collection')]);
      }
      const both = [{ collection: 'both' }];
      const given = { topic: 'The vessel Panta Rhei?', agents: pair(), knowledge: both, maxTurns: 2 };
      const made = await asked('/conversations', 'POST', given);
      expect(made.status).toBe(201);
      const { id } = made.body as { id: string };
      await call(server.url, `/conversations/${id}/events`, globex);
      const { items } = (await asked(`/conversations/${id}/messages`)).body as { items: Message[] };
      expect(items).toHaveLength(3);
      for (const { metadata } of items.slice(1)) {
        expect(metadata.sources).toMatchObject([{ collection: 'both', documentId: 'b' }]);
      }
      expect(JSON.stringify(items)).not.toContain('700 people');
    });

    it('are not found through the door of MCP', async () => {
      const use = (name: string, given: object) =>
        call(server.url, '/mcp', {
          headers: { ...globex.headers, accept: 'application/json, text/event-stream' },
          body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } },
        });
      const started = await use('start_conversation', {
        topic: 'Panta?',
        knowledge: [{ collection: 'ships' }],
      });
      expect(started.text).toContain('is no collection');
      expect((await use('search', { q: 'Panta Rhei' })).text).not.toContain('700 people');
    });

    it('are those of the tenant that an administrator names', async () => {
      const as = (tenant: string) =>
        call(server.url, '/knowledge/ships/search?q=Panta', {
          headers: { ...admin.headers, 'x-aic-tenant': tenant },
        });
      expect([(await as('acme')).status, (await as('globex')).status]).toEqual([200, 404]);
      expect((await call(server.url, '/knowledge/ships/search?q=Panta', admin)).status).toBe(404);
    });
  },
);
