import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { conversation as conversationSchema } from '../../src/protocol/conversation.ts';
import { get } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';

const REVISIONS = [
  ['2026-07-28', { pin: '2026-07-28' }],
  ['2025-11-25', 'legacy'],
] as const;

/** The real client, connected. */
async function connect(
  url: string,
  mode: (typeof REVISIONS)[number][1] | 'auto' = 'auto',
  headers: Record<string, string> = {},
): Promise<Client> {
  const client = new Client({ name: 'a test', version: '1.0.0' }, { versionNegotiation: { mode } });
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
}

/** Calls a tool that succeeds; what it says as text is what it gives. */
async function use<Given>(client: Client, name: string, given: object): Promise<Given> {
  const answer = await client.callTool({ name, arguments: { ...given } });
  const [said] = answer.content as { type: string; text: string }[];
  expect({ name, isError: answer.isError ?? false, text: said?.text }).toMatchObject({ isError: false });
  expect(JSON.parse(said?.text ?? '')).toEqual(answer.structuredContent);
  return answer.structuredContent as Given;
}

/** Calls a tool that refuses. */
async function refused(client: Client, name: string, given: object): Promise<unknown> {
  const answer = await client.callTool({ name, arguments: { ...given } });
  const [said] = answer.content as { type: string; text: string }[];
  expect(answer.isError).toBe(true);
  return said?.text.startsWith('{') ? JSON.parse(said.text) : said?.text;
}

interface Waited {
  ended: boolean;
  next?: string;
  conversation: { id: string; status: string };
}

describe.each(REVISIONS)('13.1: /mcp in the revision %s', (revision, mode) => {
  it('has the tools of 13.1, with arguments named as in the routes', async () => {
    const { url } = await startServer();
    const client = await connect(url, mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(revision);
    const { tools } = await client.listTools();
    const shown = Object.fromEntries(
      tools.map(({ name, inputSchema }) => [name, Object.keys(inputSchema.properties ?? {}).sort()]),
    );
    expect(shown).toMatchObject({
      start_conversation: expect.arrayContaining(['topic', 'agents', 'scenario', 'maxTurns', 'decision']),
      get_conversation: ['id'],
      read_messages: ['cursor', 'id', 'limit', 'q', 'sender'],
      wait_for_end: ['id', 'timeoutSeconds'],
      search: ['createdAfter', 'createdBefore', 'cursor', 'limit', 'q', 'sender'],
      say: ['content', 'id', 'interrupt', 'role', 'sender', 'visibleTo'],
      pause: ['detail', 'id', 'now'],
      resume: ['id'],
      end_conversation: ['detail', 'id'],
    });
    expect(tools.find(({ name }) => name === 'start_conversation')?.inputSchema).toMatchObject({
      type: 'object',
      required: ['topic'],
      additionalProperties: false,
      properties: { topic: { type: 'string', maxLength: 2000 } },
    });
  });

  it('has a conversation from its start to its end, and reads it', async () => {
    const { url } = await startServer();
    const client = await connect(url, mode);
    const started = await use<{ id: string }>(client, 'start_conversation', {
      topic: 'Tea or coffee?',
      scenario: 'debate',
    });
    expect(conversationSchema.parse(started)).toMatchObject({ topic: 'Tea or coffee?', maxTurns: 8 });
    const { id } = started;
    const waited = await use<Waited>(client, 'wait_for_end', { id });
    expect(waited).toMatchObject({ ended: true, conversation: { id, status: 'terminated' } });
    expect(waited.next).toBeUndefined();
    const first = await use<{ items: { content: string }[]; nextCursor: string }>(client, 'read_messages', {
      id,
      limit: 5,
    });
    const rest = await use<{ items: object[]; nextCursor: null }>(client, 'read_messages', {
      id,
      cursor: first.nextCursor,
    });
    expect([...first.items, ...rest.items]).toHaveLength(9);
    expect(rest.nextCursor).toBeNull();
    const hits = await use<{ items: { conversationId: string }[] }>(client, 'search', {
      q: 'coffee',
      limit: 1,
    });
    expect(hits.items).toMatchObject([{ conversationId: id }]);
    expect(await refused(client, 'search', { q: ' ' })).toMatchObject({ code: 'validation_failed' });
    expect(await use(client, 'get_conversation', { id })).toEqual(await get(url, id));

    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates).toMatchObject([{ uriTemplate: 'conversation://{id}' }]);
    const { resources } = await client.listResources();
    expect(resources).toMatchObject([{ uri: `conversation://${id}`, name: 'Tea or coffee?' }]);
    const { contents } = await client.readResource({ uri: `conversation://${id}` });
    const [content] = contents as { mimeType: string; text: string }[];
    expect(content?.mimeType).toBe('application/json');
    expect(JSON.parse(content?.text ?? '')).toEqual({
      conversation: await get(url, id),
      messages: { items: [...first.items, ...rest.items], nextCursor: null },
    });
    const unknown = client.readResource({ uri: 'conversation://0198c0de-0000-7000-8000-000000000000' });
    await expect(unknown).rejects.toThrow(/not found/i);
  });

  it('takes a hand: says, pauses, resumes, ends; and says to call again what has not ended', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const { url } = await startServer(vendor.environment);
    const client = await connect(url, mode);
    const { id } = await use<{ id: string }>(client, 'start_conversation', {
      topic: 'Tea or coffee?',
      agents: [
        { provider: 'local', name: 'Ada' },
        { provider: 'local', name: 'Ben' },
      ],
    });
    expect(await use(client, 'say', { id, content: 'What about soup?', sender: 'Zoe' })).toMatchObject({
      sender: 'Zoe',
      role: 'human',
      content: 'What about soup?',
    });
    expect(await use(client, 'pause', { id, now: true, detail: 'Lunch' })).toMatchObject({
      status: 'paused',
      pause: { for: 'user', detail: 'Lunch' },
    });
    const waited = await use<Waited>(client, 'wait_for_end', { id, timeoutSeconds: 0.05 });
    expect(waited).toMatchObject({ ended: false, next: 'Call wait_for_end again.' });
    expect(await use(client, 'resume', { id })).toMatchObject({ status: 'running' });
    const waiting = use<Waited>(client, 'wait_for_end', { id });
    expect(await use(client, 'end_conversation', { id, detail: 'Enough' })).toMatchObject({
      status: 'terminated',
      termination: { reason: 'user', detail: 'Enough', by: 'user' },
    });
    expect(await waiting).toMatchObject({ ended: true });
    expect(await refused(client, 'say', { id, content: 'Too late' })).toMatchObject({
      code: 'conversation_terminated',
    });
  });

  it('says what is wrong with arguments, by the name that they have', async () => {
    const { url } = await startServer();
    const client = await connect(url, mode);
    const id = '0198c0de-0000-7000-8000-000000000000';
    for (const [tool, given] of [
      ['get_conversation', { id }],
      ['get_conversation', { id: 'none' }],
      ['say', { id, content: 'Hello' }],
      ['wait_for_end', { id }],
    ] as const) {
      expect(await refused(client, tool, given)).toMatchObject({ code: 'not_found' });
    }
    expect(await refused(client, 'start_conversation', { topic: 'x', scenario: 'none' })).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'scenario' }],
    });
    for (const [tool, given, named] of [
      ['start_conversation', {}, /topic/],
      ['start_conversation', { topic: 'x', colour: 'red' }, /colour/],
      ['wait_for_end', { id, timeoutSeconds: 51 }, /0 to 50/],
      ['read_messages', { id, limit: 0 }, /1 to 200/],
      ['read_messages', { id, cursor: 'x' }, /cursor/],
      ['say', { id, content: ' ' }, /content/],
    ] as const) {
      const answer = await refused(client, tool, given);
      expect(JSON.stringify(answer)).toMatch(named);
    }
    await expect(client.callTool({ name: 'destroy', arguments: {} })).rejects.toThrow(/destroy/);
  });
});

describe('13.1: /mcp over HTTP', () => {
  it('keeps no sessions, and says so', async () => {
    const { url } = await startServer();
    const initialize = await call(url, '/mcp', {
      headers: { accept: 'application/json, text/event-stream' },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
      },
    });
    expect(initialize.status).toBe(200);
    expect(initialize.headers['mcp-session-id']).toBeUndefined();
    for (const method of ['GET', 'DELETE']) {
      const headers = { accept: 'text/event-stream' };
      expect((await call(url, '/mcp', { method, headers })).status).toBe(405);
    }
  });

  it('refuses what is no request of it with 4xx, and pages elsewhere', async () => {
    const { url } = await startServer();
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    for (const body of ['{', '[]', '{}', '"x"', '{"jsonrpc":"2.0","id":1}', '']) {
      const { status } = await call(url, '/mcp', { method: 'POST', body, headers });
      expect([body, status >= 400 && status < 500]).toEqual([body, true]);
    }
    const elsewhere = { ...headers, origin: 'https://elsewhere.example' };
    expect((await call(url, '/mcp', { method: 'POST', body: '{}', headers: elsewhere })).status).toBe(403);
  });

  it('lets a call that waits go as the server shuts down', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    const client = await connect(server.url);
    const { id } = await use<{ id: string }>(client, 'start_conversation', {
      topic: 'Tea or coffee?',
      agents: [
        { provider: 'local', name: 'Ada' },
        { provider: 'local', name: 'Ben' },
      ],
    });
    const attempt = await vendor.nextCall();
    const waiting = use<Waited>(client, 'wait_for_end', { id });
    // The vendor has been called since; what is asked behind that is under way.
    await attempt.say('Well');
    await use(client, 'get_conversation', { id });
    const stopped = server.stop();
    expect(await waiting).toMatchObject({ ended: false });
    expect(await stopped).toBe(0);
  });
});
