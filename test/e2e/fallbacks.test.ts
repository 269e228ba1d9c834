import { expect, it, onTestFinished } from 'vitest';
import type { AgentRequest } from '../../src/conversation/log/settings.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import {
  answer,
  fault,
  type Script,
  startVendor,
  unfinished,
  unlikeAnswers,
  type Vendor,
} from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

/** A server with two vendors, `local` and `chatgpt`, that play scripts. */
async function stage(
  scripts: { local: Script; chatgpt: Script },
  environment: Record<string, string> = {},
): Promise<{ server: ServerProcess; local: Vendor; chatgpt: Vendor }> {
  const local = await startVendor('openai', scripts.local);
  const chatgpt = await startVendor('openai', scripts.chatgpt);
  onTestFinished(local.close);
  onTestFinished(chatgpt.close);
  const server = await startServer({
    LOCAL_BASE_URL: local.baseUrl,
    LOCAL_MODEL: 'm',
    OPENAI_BASE_URL: chatgpt.baseUrl,
    OPENAI_API_KEY: 'sk-test-0123456789abcdef0123456789',
    CHATGPT_MODEL: 'gpt-4.1',
    RETRY_TRIES: '3',
    RETRY_FIRST_DELAY_MS: '60000',
    ...environment,
  });
  return { server, local, chatgpt };
}

const ADA: AgentRequest = { provider: 'local', name: 'Ada', fallbacks: [{ provider: 'chatgpt' }] };
const BEN: AgentRequest = { provider: 'embedded', name: 'Ben' };

it('2.1, 4.2: a fallback takes over for the next attempt, under the name of the agent', async () => {
  const { server, local, chatgpt } = await stage({
    local: () => unfinished('Half a', 'cut'),
    chatgpt: () => answer('A whole answer.'),
  });
  const { id } = await startTalk(server.url, { agents: [ADA, BEN], maxTurns: 1 });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  const [, , spent, said] = await readLog(server.url, id);
  expect(spent).toMatchObject({ type: 'attempt.spent', agent: 'Ada', provider: 'local', error: 'network' });
  expect(said).toMatchObject({
    message: {
      sender: 'Ada',
      content: 'A whole answer.',
      metadata: { provider: 'chatgpt', model: 'gpt-4.1', attempts: 2 },
    },
  });
  // The wait before another try of its own would have been a minute.
  const failed = watcher.frames.find(({ type }) => type === 'turn.failed');
  expect(failed).toMatchObject({ agent: 'Ada', retryInMs: 0 });
  expect([local.requests.length, chatgpt.requests.length]).toEqual([1, 1]);
});

it('2.3: a failure that is final ends the conversation only where no fallback is left', async () => {
  const { server, local, chatgpt } = await stage({
    local: () => fault('authentication'),
    chatgpt: () => fault('quota_exhausted'),
  });
  const { id } = await startTalk(server.url, { agents: [ADA, BEN] });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  expect(watcher.frames.at(-1)).toMatchObject({
    reason: 'provider_error',
    detail: expect.stringContaining('Ada (chatgpt): quota_exhausted'),
  });
  expect([local.requests.length, chatgpt.requests.length]).toEqual([1, 1]);
});

it('while the circuit is open the fallback speaks, and the others wait, go on, or end, as they were told', async () => {
  const { server, local } = await stage(
    { local: () => fault('server_error'), chatgpt: unlikeAnswers() },
    { CIRCUIT_FAILURES: '1', CIRCUIT_OPEN_SECONDS: '600', RETRY_TRIES: '1' },
  );
  const opening = await startTalk(server.url, { agents: [{ provider: 'local' }, BEN] });
  await (await watchSocket(server.url, opening.id)).closed;
  expect(local.requests).toHaveLength(1);

  const falling = await startTalk(server.url, { agents: [ADA, BEN], maxTurns: 3 });
  const ending = await startTalk(server.url, {
    agents: [{ provider: 'local', name: 'Ada' }, BEN],
    onCircuitOpen: 'end',
  });
  const waiting = await startTalk(server.url, { agents: [ADA, BEN], onCircuitOpen: 'wait' });
  const late = await startTalk(server.url, { agents: [{ provider: 'local' }, BEN], timeoutSeconds: 300 });
  const ends = await Promise.all(
    [falling, ending, late].map(async ({ id }) => {
      const watcher = await watchSocket(server.url, id);
      await watcher.closed;
      return watcher.frames.at(-1);
    }),
  );
  expect(ends).toMatchObject([
    { reason: 'max_turns' },
    { reason: 'circuit_open', detail: expect.stringContaining('Ada (local): the circuit is open') },
    { reason: 'circuit_open', detail: expect.stringContaining('outlast') },
  ]);
  const log = await readLog(server.url, falling.id);
  expect(log[2]).toMatchObject({ message: { metadata: { provider: 'chatgpt', attempts: 1 } } });
  expect(await readLog(server.url, waiting.id)).toHaveLength(2);
  expect(local.requests).toHaveLength(1);
});

it('2.3: a budget is never passed by a fallback whose price nobody knows', async () => {
  const { server, chatgpt } = await stage(
    { local: () => fault('authentication'), chatgpt: () => answer('Too dear.') },
    { CHATGPT_MODEL: 'gpt-from-nowhere' },
  );
  const talks = await Promise.all(
    Array.from({ length: 8 }, () =>
      startTalk(server.url, { agents: [ADA, BEN], termination: { maxCostUsd: 0.1 } }),
    ),
  );
  for (const { id } of talks) {
    const watcher = await watchSocket(server.url, id);
    await watcher.closed;
    expect(watcher.frames.at(-1)).toMatchObject({
      reason: 'cost_budget',
      detail: expect.stringContaining('price of gpt-from-nowhere is unknown'),
    });
  }
  expect(chatgpt.requests).toHaveLength(0);
});

it('2.3: a budget of $0.10 holds among agents that spend it together', async () => {
  const usage = { inputTokens: 1000, outputTokens: 1000 };
  const { server } = await stage({
    local: () => fault('authentication'),
    chatgpt: unlikeAnswers({ usage }),
  });
  const gpt = { provider: 'chatgpt', maxOutputTokens: 1000 };
  const { id } = await startTalk(server.url, {
    agents: [gpt, gpt, gpt],
    termination: { maxCostUsd: 0.1 },
  });
  const watcher = await watchSocket(server.url, id);
  await watcher.closed;
  expect(watcher.frames.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'cost_budget' });
  const log = await readLog(server.url, id);
  const spent = log.reduce(
    (sum, event) => sum + (event.type === 'message' ? (event.message.metadata.costUsd ?? 0) : 0),
    0,
  );
  // A reply is $0.01: ten would be the limit, and no more than its estimated prompt may be left unspent.
  expect(spent).toBeGreaterThan(0.08);
  expect(spent).toBeLessThanOrEqual(0.1);
});

it("6: the server's limit for a day holds among conversations at once, and after a restart", async () => {
  const folder = temporaryFolder();
  // A reply of $0.0082, of which twelve fit into the limit.
  const usage = { inputTokens: 100, outputTokens: 1000 };
  const { server, chatgpt } = await stage(
    {
      local: () => fault('authentication'),
      chatgpt: unlikeAnswers({ usage }),
    },
    { DAILY_COST_LIMIT_USD: '0.1', DATA_DIR: folder },
  );
  const gpt = { provider: 'chatgpt', maxOutputTokens: 1000 };
  const run = async ({ url }: ServerProcess, count: number): Promise<void> => {
    const talks = await Promise.all(
      Array.from({ length: count }, () => startTalk(url, { agents: [gpt, gpt], maxTurns: 9 })),
    );
    for (const { id } of talks) {
      const watcher = await watchSocket(url, id);
      await watcher.closed;
      expect(watcher.frames.at(-1)).toMatchObject({
        reason: 'cost_budget',
        detail: expect.stringContaining('US dollars a day'),
      });
    }
  };
  await run(server, 20);
  const calls = chatgpt.requests.length;
  expect(calls).toBe(12);
  await server.stop('SIGTERM');
  const again = await startServer({
    DATA_DIR: folder,
    OPENAI_BASE_URL: chatgpt.baseUrl,
    OPENAI_API_KEY: 'sk-test-0123456789abcdef0123456789',
    CHATGPT_MODEL: 'gpt-4.1',
    DAILY_COST_LIMIT_USD: '0.1',
  });
  await run(again, 2);
  expect(chatgpt.requests).toHaveLength(12);
});

it.each([
  ['agents.0.fallbacks.0.provider', { provider: 'nobody' }, 'validation_failed'],
  ['agents.0.fallbacks.0.model', { provider: 'embedded', model: 'nobody' }, 'validation_failed'],
  ['agents.0.fallbacks.0.provider', { provider: 'gemini' }, 'provider_not_configured'],
  ['agents.0.fallbacks.0', { provider: 'embedded', name: 'x' }, 'validation_failed'],
])('2.5: a fallback that can not be is refused and named: %s %j', async (path, fallback, code) => {
  const server = await startServer();
  const agents = [{ provider: 'embedded', fallbacks: [fallback] }, { provider: 'embedded' }];
  const response = await fetch(`${server.url}/conversations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topic: 't', agents }),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code, errors: [{ path: expect.stringContaining(path) }] });
});
