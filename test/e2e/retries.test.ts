import { expect, it, onTestFinished } from 'vitest';
import type { Conversation, ConversationRequest } from '../../src/client/types.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import {
  answer,
  fault,
  hang,
  type Script,
  startVendor,
  unfinished,
  type Vendor,
} from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

/** A server whose `local` vendor plays a script, and which tries again almost at once. */
async function stage(script: Script): Promise<{ server: ServerProcess; vendor: Vendor }> {
  const vendor = await startVendor('openai', script);
  onTestFinished(vendor.close);
  const server = await startServer({
    LOCAL_BASE_URL: vendor.baseUrl,
    LOCAL_MODEL: 'm',
    RETRY_TRIES: '5',
    RETRY_FIRST_DELAY_MS: '1',
    CIRCUIT_OPEN_SECONDS: '600',
  });
  return { server, vendor };
}

const AGENTS: ConversationRequest['agents'] = [{ provider: 'local' }, { provider: 'embedded' }];

it('4, 2.4: a turn is tried again after a failure, and the text of what failed is void', async () => {
  const script = [unfinished('Half a', 'cut'), fault('server_error'), answer(['A whole ', 'answer.'])];
  const { server, vendor } = await stage(() => script.shift() ?? answer('Too many calls'));
  const { id } = await startTalk(server.url, { agents: AGENTS, maxTurns: 1 });
  const watcher = await watchSocket(server.url, id);
  expect(await watcher.closed).toBe(1000);
  const [, , spent, said] = await readLog(server.url, id);
  expect(spent).toMatchObject({ type: 'attempt.spent', turn: 1, error: 'network', estimated: true });
  expect(said).toMatchObject({ message: { content: 'A whole answer.', metadata: { attempts: 3 } } });
  expect(vendor.requests).toHaveLength(3);
  const failed = watcher.frames.filter(({ type }) => type === 'turn.failed');
  for (const frame of failed) expect(frame).toMatchObject({ turn: 1, retryInMs: expect.any(Number) });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('ai_api_calls_total{provider="local",model="m",status="error"} 2');
  expect(metrics).toContain('ai_api_calls_total{provider="local",model="m",status="success"} 1');
});

it('2.3: what can not be mended by trying again is tried once, all else five times', async () => {
  const { server, vendor } = await stage(({ model }) =>
    model === 'refused' ? fault('authentication') : fault('server_error'),
  );
  for (const [model, calls, reason] of [
    ['refused', 1, 'configuration_error'],
    ['failing', 5, 'provider_error'],
  ] as const) {
    const { id } = await startTalk(server.url, {
      agents: [{ provider: 'local', model }, { provider: 'embedded' }],
    });
    const watcher = await watchSocket(server.url, id);
    await watcher.closed;
    expect(watcher.frames.at(-1)).toMatchObject({ type: 'conversation.terminated', reason, by: 'system' });
    expect(vendor.requests.filter((request) => request.model === model)).toHaveLength(calls);
  }
  const { items } = (await (await fetch(`${server.url}/providers`)).json()) as {
    items: { id: string; circuit: string }[];
  };
  expect(items.find(({ id }) => id === 'local')).toMatchObject({ circuit: 'open' });
  expect(items.find(({ id }) => id === 'embedded')).toMatchObject({ circuit: 'closed' });
});

it('a context that is too long is tried once more with half of the messages', async () => {
  const said = ['One.', 'Two.', 'Three.'].map((text) => answer(text));
  const script = [...said, fault('context_too_long'), answer('Four.')];
  const { server, vendor } = await stage(() => script.shift() ?? fault('context_too_long'));
  const agents = [{ provider: 'local' }, { provider: 'local' }];
  const { id } = await startTalk(server.url, { agents, contextMessages: 4, maxTurns: 9 });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  const shown = vendor.requests.map(({ body }) => JSON.stringify(body));
  expect(shown[3]).toContain('One.');
  expect(shown[4]).toContain('Three.');
  expect(shown[4]).not.toContain('One.');
  const log = await readLog(server.url, id);
  expect(log[5]).toMatchObject({ message: { content: 'Four.', metadata: { attempts: 2 } } });
  expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'provider_error' });
  // Once more with half, and again with half of that, until one short message is left.
  expect(vendor.requests).toHaveLength(8);
});

it('2: a conversation that waits for an open circuit is ended at once', async () => {
  const { server } = await stage(fault('server_error'));
  const first = await startTalk(server.url, { agents: AGENTS });
  await (await watchSocket(server.url, first.id)).closed;
  const { id } = await startTalk(server.url, { agents: AGENTS });
  const watcher = await watchSocket(server.url, id);
  const answered = await fetch(`${server.url}/conversations/${id}/terminate`, { method: 'POST' });
  expect(await answered.json()).toMatchObject({
    status: 'terminated',
    termination: { reason: 'user', by: 'user' },
  });
  expect(await watcher.closed).toBe(1000);
  await server.logged(
    ({ event, conversation_id }) => event === 'conversation.ended' && conversation_id === id,
  );
});

it('2.3: an open circuit that would outlast the conversation ends it with circuit_open', async () => {
  const { server } = await stage(fault('server_error'));
  const first = await startTalk(server.url, { agents: AGENTS });
  await (await watchSocket(server.url, first.id)).closed;
  const { id } = await startTalk(server.url, { agents: AGENTS, timeoutSeconds: 300 });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  expect(watcher.frames.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'circuit_open' });
});

it('2.3: a time that is up in the middle of a call ends the call and the conversation', async () => {
  const { server, vendor } = await stage(hang);
  const { id } = await startTalk(server.url, { agents: AGENTS, timeoutSeconds: 1 });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  expect(watcher.frames.at(-1)).toMatchObject({
    type: 'conversation.terminated',
    reason: 'timeout',
    by: 'system',
  });
  await vendor.requests[0]?.whenAborted;
});

it.each<[budget: { maxTotalTokens?: number; maxCostUsd?: number }, reason: string, calls: number]>([
  [{ maxTotalTokens: 10 }, 'token_budget', 0],
  [{ maxTotalTokens: 1200 }, 'token_budget', 1],
  [{ maxCostUsd: 0.01 }, 'max_turns', 6],
])('2.3: the budget %j is checked before the call that would break it', async (budget, reason, calls) => {
  const { server, vendor } = await stage(
    answer('Ten tokens.', { usage: { inputTokens: 10, outputTokens: 10 } }),
  );
  const { id } = await startTalk(server.url, {
    agents: AGENTS,
    maxTurns: 12,
    termination: { phrases: [], similarity: { threshold: 1, consecutive: 10 }, ...budget },
  });
  await (await watchSocket(server.url, id)).closed;
  const conversation = (await (await fetch(`${server.url}/conversations/${id}`)).json()) as Conversation;
  expect(conversation).toMatchObject({ termination: { reason }, usage: { costUsd: 0 } });
  expect(conversation.usage.totalTokens).toBeLessThanOrEqual(budget.maxTotalTokens ?? Infinity);
  expect(vendor.requests).toHaveLength(calls);
});

it('2.3: where a cost limit is set, a model of unknown price is not called', async () => {
  const vendor = await startVendor('openai', answer('That was expensive.'));
  onTestFinished(vendor.close);
  const server = await startServer({ OPENAI_API_KEY: 'sk-test-0123456789', OPENAI_BASE_URL: vendor.baseUrl });
  const { id } = await startTalk(server.url, {
    agents: [{ provider: 'chatgpt', model: 'nobody-knows' }, { provider: 'embedded' }],
    termination: { maxCostUsd: 1 },
  });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  expect(watcher.frames.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'cost_budget' });
  expect(vendor.requests).toEqual([]);
});
