import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { WebhookWithDeliveries } from '../../src/protocol/webhooks.ts';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { type Reaction, type Receiver, startReceiver, type Tried } from '../fixtures/receiver.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog } from '../fixtures/talks.ts';

const SOON = { WEBHOOKS_ALLOW_PRIVATE: 'true', WEBHOOKS_RETRY_SECONDS: '0,0,0' };

async function receiver(react?: (tried: Tried) => Reaction): Promise<Receiver> {
  const started = await startReceiver(react);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

async function hook(url: string, body: object): Promise<{ id: string; secret: string }> {
  const answered = await call(url, '/webhooks', { body: { events: ['*'], ...body } });
  expect([answered.status, answered.text]).toEqual([201, expect.anything()]);
  return answered.body as { id: string; secret: string };
}

const talk = (topic: string, maxTurns = 3) => ({ topic, maxTurns });
const isEnd = ({ type, status }: Tried) => type === 'conversation.terminated' && status === 204;
const seqsOf = (tried: readonly Tried[], id: string) =>
  tried.filter(({ conversationId }) => conversationId === id).map(({ seq }) => seq);
const read = async (url: string, id: string) =>
  (await call(url, `/webhooks/${id}`)).body as WebhookWithDeliveries;

describe('12: webhooks', () => {
  it('tell what happens from then on, in order, signed as Standard Webhooks says', async () => {
    const { url } = await startServer(SOON);
    const before = await create(url, talk('Before', 2));
    await ended(url, before.made.id);
    const hearing = await receiver();
    const { id: webhookId, secret } = await hook(url, { url: hearing.url });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { made } = await create(url, talk('Tea or coffee?'));
    await hearing.until((tried) => tried.some(isEnd));
    const log = await readLog(url, made.id);
    expect(hearing.tried.map(({ seq }) => seq)).toEqual(log.map(({ seq }) => seq));
    for (const [index, tried] of hearing.tried.entries()) {
      const event = log[index];
      expect(JSON.parse(tried.body)).toEqual({
        type: event?.type,
        timestamp: event?.at,
        data: { conversationId: made.id, event },
      });
      expect(tried.id).toBe(`msg_${made.id}_${event?.seq}`);
      hearing.verify(tried, secret);
      expect(() => hearing.verify(tried, `whsec_${'A'.repeat(32)}`)).toThrow(/signature/i);
    }
    const { deliveries, ...webhook } = await read(url, webhookId);
    expect(webhook).toMatchObject({ id: webhookId, url: hearing.url, events: ['*'], status: 'active' });
    expect(JSON.stringify(webhook)).not.toContain('secret');
    expect(deliveries[0]).toMatchObject({
      status: 'delivered',
      attempts: 1,
      responseStatus: 204,
      error: null,
    });
    expect(deliveries.map(({ seq }) => seq)).toEqual(log.map(({ seq }) => seq).reverse());
    expect((await call(url, '/webhooks')).body).toEqual({ items: [webhook], nextCursor: null });
  });

  it('tell of the types and of the conversation that were asked for; a fork’s copies are no news', async () => {
    // The talk goes on until it has a webhook of its own.
    const { url } = await startServer({ ...SOON, EMBEDDED_TOKEN_DELAY_MS: '20' });
    const [ends, one] = [await receiver(), await receiver()];
    await hook(url, { url: ends.url, events: ['conversation.terminated', 'conversation.created'] });
    const { made: first } = await create(url, talk('First', 2));
    await hook(url, { url: one.url, conversationId: first.id });
    await ended(url, first.id);
    const fork = (await call(url, `/conversations/${first.id}/fork`, { body: { maxTurns: 4 } })).body as {
      id: string;
    };
    await ends.until((tried) => tried.filter(isEnd).length === 2);
    await one.until((tried) => tried.some(isEnd));
    expect(new Set(one.tried.map(({ conversationId }) => conversationId))).toEqual(new Set([first.id]));
    expect(
      ends.tried.filter(({ conversationId }) => conversationId === fork.id).map(({ type }) => type),
    ).toEqual(['conversation.created', 'conversation.terminated']);
    const every = await receiver();
    await hook(url, { url: every.url });
    const again = (await call(url, `/conversations/${first.id}/fork`, { body: { maxTurns: 4 } })).body as {
      id: string;
    };
    await every.until((tried) => tried.some(isEnd));
    // Seqs 2 to 4 are copies: the opening message and two turns.
    expect(seqsOf(every.tried, again.id)).toEqual([1, 5, 6, 7]);
  });

  it('tell nothing of an import, nor of a fork’s copies, also where all is told again', async () => {
    const { url } = await startServer(SOON);
    const hearing = await receiver();
    const { id: webhookId } = await hook(url, { url: hearing.url });
    const { made: first } = await create(url, talk('First', 60));
    await ended(url, first.id);
    const exported = await call(url, `/conversations/${first.id}/export?format=json`);
    const imported = await call(url, '/conversations/import', { body: exported.body as object });
    expect(imported.status).toBe(201);
    const { body } = await call(url, `/conversations/${first.id}/fork`, { body: { maxTurns: 62 } });
    const { id: fork } = body as { id: string };
    await hearing.until((tried) => tried.filter(isEnd).length === 2);
    // From amidst the copies on, which have the times of what they are copies of.
    const log = await readLog(url, fork);
    const amidst = log[30]?.at;
    expect((await call(url, `/webhooks/${webhookId}/replay`, { body: { since: amidst } })).status).toBe(202);
    await hearing.until((tried) => tried.filter(isEnd).length === 4);
    const { made: last } = await create(url, talk('Last', 2));
    await hearing.until((tried) => tried.filter(isEnd).length === 5);
    const { id: copy } = imported.body as { id: string };
    expect(new Set(hearing.tried.map(({ conversationId }) => conversationId))).toEqual(
      new Set([first.id, fork, last.id]),
    );
    expect(seqsOf(hearing.tried, copy)).toEqual([]);
    // Its first event, and behind its 61 copies two turns and the end.
    expect(seqsOf(hearing.tried, fork)).toEqual([1, 63, 64, 65, 1, 63, 64, 65]);
  });

  it('are tried again under the same id, while that conversation waits and others do not', async () => {
    const { url } = await startServer({ ...SOON, WEBHOOKS_RETRY_SECONDS: '0,0,0,0,0,0,0' });
    let stubborn = '';
    const hearing = await receiver(({ conversationId, seq }) => {
      stubborn ||= conversationId;
      const earlier = hearing.tried.filter(
        (tried) => tried.conversationId === conversationId && tried.seq === seq,
      );
      if (conversationId !== stubborn || seq !== 2) return 204;
      const worse: Reaction[] = [500, 'close', { status: 302, location: `${url}/livez` }, 404, 429];
      return worse[earlier.length] ?? 204;
    });
    await hook(url, { url: hearing.url });
    const ids = await Promise.all(
      ['a', 'b', 'c'].map(async (topic) => (await create(url, talk(topic))).made.id),
    );
    await hearing.until((tried) => tried.filter(isEnd).length === 3);
    for (const id of ids) {
      const log = await readLog(url, id);
      expect(seqsOf(hearing.told(), id)).toEqual(log.map(({ seq }) => seq));
    }
    const tries = hearing.tried.filter((tried) => tried.conversationId === stubborn && tried.seq === 2);
    expect(tries).toHaveLength(6);
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
  });

  it('give up after the last try, list it, and go on with the next', async () => {
    const server = await startServer({ ...SOON, WEBHOOKS_RETRY_SECONDS: '0' });
    const hearing = await receiver(({ seq }) => (seq === 3 ? 503 : 204));
    const { id } = await hook(server.url, { url: hearing.url });
    const { made } = await create(server.url, talk('Tea or coffee?'));
    await hearing.until((tried) => tried.some(isEnd));
    expect(seqsOf(hearing.tried, made.id)).toEqual([1, 2, 3, 3, 4, 5, 6]);
    const failed = (await read(server.url, id)).deliveries.filter(({ status }) => status === 'failed');
    expect(failed).toMatchObject([{ seq: 3, attempts: 2, responseStatus: 503, nextAttemptAt: null }]);
    await server.logged(({ event, webhook_id }) => event === 'webhook.failed' && webhook_id === id);
    const { text } = await call(server.url, '/metrics');
    expect(text).toContain('ai_webhook_deliveries_total{outcome="failed"} 1');
    expect(text).toContain('ai_webhook_deliveries_total{outcome="retried"} 1');
  });

  it('say when the next try is, and end with 410', async () => {
    const { url } = await startServer({ ...SOON, WEBHOOKS_RETRY_SECONDS: '3600' });
    const [waiting, gone] = [await receiver(() => 500), await receiver(() => 410)];
    const late = await hook(url, { url: waiting.url });
    const over = await hook(url, { url: gone.url });
    const { made } = await create(url, talk('Tea or coffee?', 2));
    await ended(url, made.id);
    await waiting.until((tried) => tried.length === 1);
    await gone.until((tried) => tried.length === 1);
    await expect.poll(async () => (await read(url, over.id)).status).toBe('disabled');
    await expect
      .poll(async () => (await read(url, late.id)).deliveries)
      .toMatchObject([
        { seq: 1, status: 'retrying', attempts: 1, responseStatus: 500, error: 'answered with 500' },
      ]);
    const [delivery] = (await read(url, late.id)).deliveries;
    const wait = Date.parse(delivery?.nextAttemptAt ?? '') - Date.parse(delivery?.lastAttemptAt ?? '');
    expect(wait).toBeGreaterThanOrEqual(3_600_000);
    const { made: next } = await create(url, talk('Again', 2));
    await ended(url, next.id);
    await waiting.until((tried) => tried.length === 2);
    expect(gone.tried).toHaveLength(1);
  });

  it('are not held up by one that hangs, and hold up no conversation', async () => {
    const { url } = await startServer(SOON);
    const [hanging, well] = [await receiver(() => 'hang'), await receiver()];
    await hook(url, { url: hanging.url });
    await hook(url, { url: well.url });
    const ids = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => (await create(url, talk(`Talk ${n}`, 2))).made.id),
    );
    await well.until((tried) => tried.filter(isEnd).length === 12);
    for (const id of ids) expect((await ended(url, id)).status).toBe('terminated');
    expect(hanging.tried.length).toBeLessThanOrEqual(8);
  });

  it('are told again from a time on, tested, and given another secret', async () => {
    const { url } = await startServer(SOON);
    const { made: first } = await create(url, talk('Before', 2));
    await ended(url, first.id);
    const hearing = await receiver();
    const { id, secret } = await hook(url, { url: hearing.url, secret: `whsec_${'a'.repeat(32)}` });
    expect(secret).toBe(`whsec_${'a'.repeat(32)}`);
    expect((await call(url, `/webhooks/${id}/test`, { method: 'POST' })).status).toBe(202);
    await hearing.until((tried) => tried.length === 1);
    expect(hearing.tried[0]).toMatchObject({ type: 'webhook.test' });
    const since = { since: first.createdAt };
    expect((await call(url, `/webhooks/${id}/replay`, { body: since })).status).toBe(202);
    await hearing.until((tried) => tried.filter(isEnd).length === 1);
    expect((await call(url, `/webhooks/${id}/replay`, { body: since })).status).toBe(202);
    await hearing.until((tried) => tried.filter(isEnd).length === 2);
    expect(seqsOf(hearing.tried, first.id)).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    const rotated = (await call(url, `/webhooks/${id}/rotate`, { method: 'POST' })).body as {
      secret: string;
    };
    expect(rotated.secret).not.toBe(secret);
    expect((await call(url, `/webhooks/${id}/test`, { method: 'POST', body: {} })).status).toBe(202);
    await hearing.until((tried) => tried.length === 12);
    const last = hearing.tried.at(-1) as Tried;
    hearing.verify(last, secret);
    hearing.verify(last, rotated.secret);
    expect((await call(url, `/webhooks/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await call(url, `/webhooks/${id}`)).status).toBe(404);
    const { made: next } = await create(url, talk('After', 2));
    await ended(url, next.id);
    expect(hearing.tried).toHaveLength(12);
  });

  it('forget what is deleted', async () => {
    const { url } = await startServer({ ...SOON, WEBHOOKS_RETRY_SECONDS: '3600' });
    const hearing = await receiver(() => 500);
    const { id } = await hook(url, { url: hearing.url });
    const { made } = await create(url, talk('Tea or coffee?', 2));
    await ended(url, made.id);
    await expect.poll(async () => (await read(url, id)).deliveries.length).toBe(1);
    expect((await call(url, `/conversations/${made.id}`, { method: 'DELETE' })).status).toBe(204);
    await expect.poll(async () => (await read(url, id)).deliveries).toEqual([]);
  });

  it('keep nothing of a conversation that is over but the last deliveries', async () => {
    const folder = temporaryFolder();
    const { url } = await startServer({ ...SOON, DATA_DIR: folder });
    const hearing = await receiver();
    await hook(url, { url: hearing.url });
    const file = new Database(join(folder, 'webhooks.sqlite'), { readonly: true });
    onTestFinished(() => void file.close());
    const places = () => (file.prepare('SELECT count(*) AS n FROM places').get() as { n: number }).n;
    const { made } = await create(url, talk('Tea or coffee?', 4));
    await hearing.until(() => places() === 1);
    await hearing.until((tried) => tried.some(isEnd));
    await expect.poll(places).toBe(0);
    expect(seqsOf(hearing.tried, made.id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('keep their secrets encrypted, by a key of their own where none is given', async () => {
    const folder = temporaryFolder();
    const server = await startServer({ ...SOON, DATA_DIR: folder });
    const hearing = await receiver();
    const { id, secret } = await hook(server.url, { url: hearing.url });
    await server.stop();
    for (const file of readdirSync(folder)) {
      if (!file.startsWith('webhooks.sqlite')) continue;
      expect(readFileSync(join(folder, file)).includes(secret.slice('whsec_'.length))).toBe(false);
    }
    const again = await startServer({ ...SOON, DATA_DIR: folder });
    await call(again.url, `/webhooks/${id}/test`, { method: 'POST' });
    await hearing.until((tried) => tried.length === 1);
    hearing.verify(hearing.tried[0] as Tried, secret);
    await again.stop();
    const other = await startServer({ ...SOON, DATA_DIR: folder, WEBHOOKS_SECRET_KEY: 'another' });
    await call(other.url, `/webhooks/${id}/test`, { method: 'POST' });
    await expect
      .poll(async () => (await read(other.url, id)).deliveries[0])
      .toMatchObject({
        status: 'failed',
        error: expect.stringContaining('WEBHOOKS_SECRET_KEY'),
      });
  });

  it('are refused by name where a request is wrong', async () => {
    const { url } = await startServer();
    const good = { url: 'https://93.184.216.34/', events: ['message'] };
    const cases: [object, string][] = [
      [{ events: ['*'] }, 'url'],
      [{ ...good, url: 'ftp://example.com' }, 'url'],
      [{ ...good, url: 'https://user:word@example.com' }, 'url'],
      [{ ...good, url: 'nowhere' }, 'url'],
      [{ ...good, url: `https://example.com/${'x'.repeat(2000)}` }, 'url'],
      [{ ...good, url: 'http://127.0.0.1:1/' }, 'url'],
      [{ ...good, url: 'http://localhost/' }, 'url'],
      [{ ...good, url: 'http://name.invalid/' }, 'url'],
      [{ ...good, events: [] }, 'events'],
      [{ ...good, events: ['turn.delta'] }, 'events.0'],
      [{ ...good, secret: 'whsec_c2hvcnQ=' }, 'secret'],
      [{ ...good, secret: 'x'.repeat(40) }, 'secret'],
      [{ ...good, colour: 'red' }, 'colour'],
    ];
    for (const [body, path] of cases) {
      const answered = await call(url, '/webhooks', { body });
      expect([body, answered.status, answered.body]).toMatchObject([body, 400, { errors: [{ path }] }]);
    }
    const nobody = '0198c0de-0000-7000-8000-000000000000';
    expect((await call(url, '/webhooks', { body: { ...good, conversationId: nobody } })).status).toBe(404);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/test'],
      ['POST', '/rotate'],
    ]) {
      expect((await call(url, `/webhooks/${nobody}${path}`, { method })).status).toBe(404);
    }
    const { id } = await hook(url, good);
    expect((await call(url, `/webhooks/${id}/replay`, { body: { since: 'today' } })).status).toBe(400);
    expect((await call(url, `/webhooks/${id}/replay`, { method: 'POST' })).status).toBe(400);
    for (let n = 1; n < 100; n++) await hook(url, good);
    expect(await call(url, '/webhooks', { body: good })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
    const page = (await call(url, '/webhooks?limit=60')).body as { items: object[]; nextCursor: string };
    const rest = (await call(url, `/webhooks?limit=60&cursor=${page.nextCursor}`)).body as {
      items: object[];
    };
    expect([page.items.length, rest.items.length]).toEqual([60, 40]);
  });
});

it('12: the client has methods for all of it', async () => {
  const { url } = await startServer(SOON);
  const hearing = await receiver();
  const client = createClient({ baseUrl: url });
  const { id, secret } = await client.createWebhook({ url: hearing.url, events: ['*'] });
  expect(await client.webhook(id)).toMatchObject({ id, deliveries: [] });
  expect((await client.webhooks()).items).toMatchObject([{ id }]);
  await client.testWebhook(id);
  await hearing.until((tried) => tried.length === 1);
  hearing.verify(hearing.tried[0] as Tried, secret);
  expect((await client.rotateWebhook(id)).secret).not.toBe(secret);
  await client.replayWebhook(id, new Date(0).toISOString());
  await client.deleteWebhook(id);
  expect((await client.webhooks()).items).toEqual([]);
});
