import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, Message } from '../../src/client/types.ts';
import { follow } from '../fixtures/follower.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import {
  answer,
  type Behaviour,
  fault,
  type Script,
  startVendor,
  unfinished,
  type Vendor,
} from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const VENDORS = [
  { id: 'claude', name: 'Claude', kind: 'anthropic', variables: ['ANTHROPIC', 'ANTHROPIC', 'CLAUDE'] },
  { id: 'chatgpt', name: 'ChatGPT', kind: 'openai', variables: ['OPENAI', 'OPENAI', 'CHATGPT'] },
  { id: 'gemini', name: 'Gemini', kind: 'gemini', variables: ['GOOGLE', 'GEMINI', 'GEMINI'] },
  { id: 'grok', name: 'Grok', kind: 'openai', variables: ['XAI', 'XAI', 'GROK'] },
  {
    id: 'perplexity',
    name: 'Perplexity',
    kind: 'openai',
    variables: ['PERPLEXITY', 'PERPLEXITY', 'PERPLEXITY'],
  },
] as const;
type VendorId = (typeof VENDORS)[number]['id'];

const NAMES = VENDORS.map(({ name }) => name);
/** Of no vendor's shape, so that only who knows it can mask it. */
const keyOf = (id: string): string => `${id}+key/0123456789=&x`;

/** All five vendors as local servers, and a server that knows no others. */
async function fiveVendors(
  script: (id: VendorId) => Script,
): Promise<{ server: ServerProcess; vendors: Map<string, Vendor> }> {
  const environment: Record<string, string> = {};
  const vendors = new Map<string, Vendor>();
  for (const { id, kind, variables } of VENDORS) {
    const vendor = await startVendor(kind, script(id));
    onTestFinished(vendor.close);
    vendors.set(id, vendor);
    const [key, baseUrl, model] = variables;
    environment[`${key}_API_KEY`] = keyOf(id);
    environment[`${baseUrl}_BASE_URL`] = vendor.baseUrl;
    environment[`${model}_MODEL`] = `${id}-model`;
  }
  return { server: await startServer(environment), vendors };
}

interface Shown {
  system: string;
  messages: { role: string; content: string }[];
}

/** What an agent was shown, out of its vendor's own form. */
function shownTo(kind: string, body: unknown): Shown {
  if (kind === 'anthropic') return body as Shown;
  if (kind === 'openai') {
    const [system, ...messages] = (body as Shown).messages;
    return { system: system?.role === 'system' ? system.content : '', messages };
  }
  const { systemInstruction, contents } = body as {
    systemInstruction: { parts: { text: string }[] };
    contents: { role: string; parts: { text: string }[] }[];
  };
  const textOf = (parts: { text: string }[]): string => parts.map(({ text }) => text).join('');
  return {
    system: textOf(systemInstruction.parts),
    messages: contents.map(({ role, parts }) => ({
      role: role === 'model' ? 'assistant' : role,
      content: textOf(parts),
    })),
  };
}

const messagesOf = (log: readonly ConversationEvent[]): Message[] =>
  log.flatMap((event) => (event.type === 'message' ? [event.message] : []));

/** Everything that leaves the server about a conversation. */
async function everythingSaid(server: ServerProcess, id: string): Promise<string> {
  const paths = ['', '/messages', '/log', '/events'].map((path) => `/conversations/${id}${path}`);
  const texts = await Promise.all(
    [...paths, '/metrics', '/providers', '/readyz', '/openapi.json', '/conversations'].map(async (path) =>
      (await fetch(server.url + path)).text(),
    ),
  );
  return [...texts, JSON.stringify(server.log), server.errors()].join('\n');
}

function expectNoKey(text: string): void {
  for (const { id } of VENDORS) {
    expect(text).not.toContain(keyOf(id));
    expect(text).not.toContain(encodeURIComponent(keyOf(id)));
  }
}

it('five vendors in one conversation: order, prompts, metadata, usage, metrics', async () => {
  const CONTEXT = 7;
  const TURNS = 12;
  const { server, vendors } = await fiveVendors((id) => {
    let count = 0;
    return () => answer([`This is ${id} `, `for the ${++count}. time.`]);
  });
  const { id, agents } = await startTalk(server.url, {
    topic: 'Is the sky blue?',
    openingMessage: 'Well, is it?',
    agents: VENDORS.map(({ id: provider }) => ({ provider, instructions: `Be like ${provider}.` })),
    maxTurns: TURNS,
    contextMessages: CONTEXT,
  });
  expect(agents.map(({ name, model }) => [name, model])).toEqual(
    VENDORS.map((vendor) => [vendor.name, `${vendor.id}-model`]),
  );
  const watcher = await watchSocket(server.url, id);
  expect(await watcher.closed).toBe(1000);
  const log = await readLog(server.url, id);
  expect(follow(watcher.frames).events).toEqual(log);
  expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'max_turns' });

  const messages = messagesOf(log);
  for (let turn = 1; turn <= TURNS; turn++) {
    const vendor = VENDORS[(turn - 1) % VENDORS.length];
    const request = vendors.get(vendor?.id ?? '')?.requests[Math.floor((turn - 1) / VENDORS.length)];
    if (!vendor || !request) throw new Error(`nobody was asked for turn ${turn}`);
    const { system, messages: shown } = shownTo(vendor.kind, request.body);
    expect(request.model).toBe(`${vendor.id}-model`);
    for (const part of ['Is the sky blue?', `Be like ${vendor.id}.`, ...NAMES])
      expect(system).toContain(part);

    // 5.1: each merged message holds its parts in order, and the roles take turns, beginning with the user.
    const recent = messages.slice(0, turn).slice(-CONTEXT);
    expect(shown.map(({ role }) => role)).toEqual(
      shown.map((_, index) => (index % 2 === 0 ? 'user' : 'assistant')),
    );
    const pieces = recent.map(({ sender, content }) =>
      sender === vendor.name ? content : `${sender}: ${content}`,
    );
    const joined = shown.map(({ content }) => content).join('\n\n');
    // Where the last ones begin with the agent's own, something of the user's has to stand before it.
    const before = recent[0]?.sender === vendor.name ? `Moderator: Is the sky blue?\n\n` : '';
    expect(joined).toBe(before + pieces.join('\n\n'));
    const own = recent.filter(({ sender }) => sender === vendor.name).map(({ content }) => content);
    expect(shown.filter(({ role }) => role === 'assistant').map(({ content }) => content)).toEqual(own);

    // 2.4
    expect(messages[turn]).toMatchObject({
      turn,
      sender: vendor.name,
      role: 'agent',
      content: `This is ${vendor.id} for the ${Math.ceil(turn / VENDORS.length)}. time.`,
    });
    expect(messages[turn]?.metadata).toMatchObject({
      provider: vendor.id,
      model: `${vendor.id}-model`,
      inputTokens: 12,
      outputTokens: 5,
      latencyMs: expect.any(Number) as number,
      timeToFirstTokenMs: expect.any(Number) as number,
      attempt: expect.any(String) as string,
      attempts: 1,
      finishReason: 'stop',
    });
  }
  expect(messages[0]).toMatchObject({ turn: 0, sender: 'Moderator', role: 'moderator', metadata: {} });
  const { usage, turns } = await createClient({ baseUrl: server.url }).getConversation(id);
  expect(turns).toBe(TURNS);
  expect(usage).toMatchObject({ inputTokens: 144, outputTokens: 60, totalTokens: 204 });

  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const [index, vendor] of VENDORS.entries()) {
    const count = index < 2 ? 3 : 2;
    const labels = `provider="${vendor.id}",model="${vendor.id}-model"`;
    expect(metrics).toContain(`ai_api_calls_total{${labels},status="success"} ${count}\n`);
    expect(metrics).toContain(`ai_tokens_total{${labels},type="input"} ${12 * count}\n`);
    expect(metrics).toContain(`ai_tokens_total{${labels},type="output"} ${5 * count}\n`);
    expect(metrics).toContain(`ai_response_seconds_count{${labels}} ${count}\n`);
  }
  expect(metrics).toContain('ai_active_conversations 0\n');
  for (const { id: vendor } of VENDORS) {
    const [request] = vendors.get(vendor)?.requests ?? [];
    expect(JSON.stringify(request?.headers)).toContain(keyOf(vendor));
  }
  expectNoKey(await everythingSaid(server, id));
});

const http = (status: number, echo: string): Behaviour =>
  fault({ status, headers: {}, body: { error: { message: `You sent ${echo} to us`, type: 'some_error' } } });

/** What vendors fail with; all that can say the key again do. */
const FAILURES: Record<string, [behave: (key: string) => Behaviour, reason: string]> = {
  '401': [(key) => fault('authentication', { echo: key }), 'configuration_error'],
  '403': [(key) => http(403, key), 'configuration_error'],
  '404': [(key) => fault('not_found', { echo: encodeURIComponent(key) }), 'configuration_error'],
  '400': [(key) => fault('bad_request', { echo: key }), 'provider_error'],
  '500': [(key) => fault('server_error', { echo: key }), 'provider_error'],
  html: [(key) => fault({ status: 502, headers: {}, body: `<p>${key}</p>` }), 'provider_error'],
  cut: [() => unfinished('Half a sen', 'cut'), 'provider_error'],
  empty: [() => answer(''), 'provider_error'],
  white: [() => answer([' \n', '\t ']), 'provider_error'],
};

it('2.3: what a vendor fails with ends the conversation with its reason, and no key is told', async () => {
  const { server } = await fiveVendors((id) => ({ model }) => {
    const [behave] = FAILURES[model] ?? [];
    return behave ? behave(keyOf(id)) : answer('There is no such failure');
  });
  const cases = VENDORS.flatMap(({ id, name }) =>
    Object.entries(FAILURES).map(([model, [, reason]]) => ({ provider: id, name, model, reason })),
  );
  const ids = await Promise.all(
    cases.map(async ({ provider, name, model, reason }) => {
      const agents = [{ provider, model }, { provider: 'embedded' }];
      const { id } = await startTalk(server.url, { agents });
      const watcher = await watchSocket(server.url, id);
      expect(await watcher.closed).toBe(1000);
      const { events } = follow(watcher.frames);
      const end = { type: 'conversation.terminated', reason, by: 'system' };
      expect({ provider, model, end: events.at(-1) }).toMatchObject({ provider, model, end });
      expect(JSON.stringify(events.at(-1))).toContain(name);
      expect(messagesOf(events)).toHaveLength(1);
      expectNoKey(JSON.stringify(watcher.frames));
      return id;
    }),
  );
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const { provider, model } of cases) {
    const failed = `ai_api_calls_total{provider="${provider}",model="other",status="error"}`;
    // What users call models is no label.
    expect(metrics).toContain(`${failed} ${Object.keys(FAILURES).length}\n`);
    expect(metrics).not.toContain(`model="${model}"`);
    expect(metrics).toMatch(
      new RegExp(`ai_errors_total\\{provider="${provider}",error_type="\\w+"\\} [1-9]`),
    );
  }
  for (const id of ids) expectNoKey(await everythingSaid(server, id));
});
