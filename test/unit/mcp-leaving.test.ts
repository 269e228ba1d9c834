import Fastify from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { registerMcpDoor } from '../../src/doors/mcp/door.ts';
import { ANONYMOUS } from '../../src/server/caller.ts';
import type { ServerParts } from '../../src/server/parts.ts';
import { addressOf } from '../fixtures/scripted-server.ts';

const ID = '0198c0de-0000-7000-8000-000000000000';

// Where nobody told it, it would stop by itself after 50 s.
it('13.1: a call whose connection is closed stops waiting', { timeout: 20_000 }, async () => {
  const [followed, stopped] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const parts = {
    catalog: { get: async () => ({ id: ID }) },
    live: {
      follow: async () => {
        followed.resolve();
        return { stop: stopped.resolve };
      },
    },
    log: { isTerminated: async () => false },
    maxMessageLength: 1000,
  } as unknown as ServerParts;
  const app = Fastify();
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request) => {
    request.caller = ANONYMOUS;
  });
  registerMcpDoor(app, parts);
  onTestFinished(() => app.close());
  await app.listen({ port: 0, host: '127.0.0.1' });
  const leaving = new AbortController();
  const asked = fetch(`${addressOf(app.server)}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'wait_for_end', arguments: { id: ID } },
    }),
    signal: leaving.signal,
  });
  await followed.promise;
  leaving.abort();
  await expect(asked).rejects.toThrow(/abort/i);
  await stopped.promise;
});
