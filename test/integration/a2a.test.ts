import { TaskState } from '@a2a-js/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { Conversation } from '../../src/client/types.ts';
import { agentFetch } from '../../src/providers/a2a/fetch.ts';
import { aic } from '../fixtures/command-line.ts';
import { create, ended, terminate } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { freePort } from '../fixtures/ports.ts';
import { type AgentStage, type Raw, sendJson, startAgent } from '../fixtures/remote-agent.ts';
import { FAULTS } from '../fixtures/remote-agent-faults.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const agentsOf = (agents: Record<string, string>) => ({ A2A_AGENTS: JSON.stringify(agents) });

/** A talk of a remote agent and one of the embedded pair. */
const talk = (model: string, maxTurns = 2, extra: object = {}) => ({
  topic: 'Will it rain in Zurich?',
  agents: [
    { provider: 'a2a', model },
    { provider: 'embedded', model: 'parry', name: 'Ben' },
  ],
  maxTurns,
  ...extra,
});

const messagesOf = async (url: string, id: string) =>
  (await createClient({ baseUrl: url }).messages(id, { limit: 200 })).items;

/** Streams its answer as pieces of one artifact. */
async function streamed(stage: AgentStage): Promise<void> {
  stage.begin();
  stage.status(TaskState.TASK_STATE_WORKING, 'Looking at the sky');
  stage.artifact('It will');
  stage.artifact(' rain.', { append: true });
  stage.status(TaskState.TASK_STATE_COMPLETED);
}

describe('13.3: a remote agent', () => {
  it('takes part by its name in A2A_AGENTS, streamed, with usage that is estimated', async () => {
    const agent = await startAgent(streamed);
    const { url } = await startServer(agentsOf({ weather: agent.url }));
    const { made } = await create(url, talk('weather'));
    expect(made.agents[0]).toMatchObject({ name: 'weather', provider: 'a2a', model: 'weather' });
    const watcher = await watchSocket(url, made.id);
    await watcher.closed;
    const deltas = watcher.frames.flatMap((frame) =>
      frame.type === 'turn.delta' && frame.agent === 'weather' ? [frame.text] : [],
    );
    expect(deltas).toEqual(['It will', ' rain.']);
    const [, said, answered] = await messagesOf(url, made.id);
    expect(said).toMatchObject({
      sender: 'weather',
      content: 'It will rain.',
      metadata: {
        provider: 'a2a',
        model: 'weather',
        usageEstimated: true,
        finishReason: 'stop',
        task: { state: 'completed' },
      },
    });
    expect(said?.metadata.inputTokens).toBeGreaterThan(0);
    expect(said?.metadata.outputTokens).toBeGreaterThan(0);
    expect(answered).toMatchObject({ sender: 'Ben' });
    const { headers, method } = await agent.called('SendStreamingMessage');
    expect([method, headers['a2a-version']]).toEqual(['SendStreamingMessage', '1.0']);
    const [asked] = agent.said();
    expect(asked).toContain('You are weather, talking with Ben.');
    expect(asked).toContain('Moderator: Will it rain in Zurich?');
  });

  it('that can not stream is asked without, and counts its own tokens where it tells them', async () => {
    const agent = await startAgent(
      (stage) => stage.reply('Perhaps.', { usage: { inputTokens: 70, outputTokens: 7 } }),
      { streaming: false },
    );
    const { url } = await startServer(agentsOf({ 'The Oracle': agent.url }));
    const { made } = await create(url, talk('The Oracle', 1));
    const { usage } = await ended(url, made.id);
    expect(usage).toMatchObject({ inputTokens: 70, outputTokens: 7 });
    const [, said] = await messagesOf(url, made.id);
    expect(said?.metadata.usageEstimated).toBeUndefined();
    expect(agent.calls.map(({ method }) => method)).toEqual(['SendMessage']);
  });

  it('that asks for input is answered by its next turn, with what was said since; a fork begins anew', async () => {
    const agent = await startAgent((stage) => {
      stage.begin();
      if (stage.context.task) {
        stage.artifact('Sunny.');
        stage.status(TaskState.TASK_STATE_COMPLETED);
      } else stage.status(TaskState.TASK_STATE_INPUT_REQUIRED, 'For which day?');
    });
    const folder = temporaryFolder();
    const environment = { DATA_DIR: folder, ...agentsOf({ weather: agent.url }) };
    const server = await startServer(environment);
    const { made } = await create(server.url, talk('weather', 4, { approval: 'every_turn' }));
    const approve = async (url: string) => {
      const approved = () =>
        call(url, `/conversations/${made.id}/approval`, { body: { decision: 'approve' } });
      await expect.poll(async () => (await approved()).status).toBe(200);
    };
    await approve(server.url);
    await expect.poll(async () => (await messagesOf(server.url, made.id)).length).toBe(2);
    await server.stop('SIGKILL');
    // The log knows what is waited for, whichever process reads it.
    const { url } = await startServer(environment);
    await approve(url);
    await approve(url);
    await expect.poll(async () => (await messagesOf(url, made.id)).length).toBe(4);
    const [, asks, said, answers] = await messagesOf(url, made.id);
    expect(asks).toMatchObject({
      content: 'For which day?',
      metadata: { task: { state: 'input_required' } },
    });
    expect(answers).toMatchObject({ content: 'Sunny.', metadata: { task: { state: 'completed' } } });
    const second = await agent.called('SendStreamingMessage', 2);
    const { id: taskId, contextId } = asks?.metadata.task ?? {};
    expect(second.params.message).toMatchObject({ taskId, contextId });
    expect(agent.said()[1]).toBe(`Ben: ${said?.content}`);
    expect(answers?.metadata.task?.id).toBe(taskId);
    const body = { atSeq: said?.seq, maxTurns: 3, approval: 'none' };
    const fork = (await call(url, `/conversations/${made.id}/fork`, { body })).body as { id: string };
    await ended(url, fork.id);
    const third = await agent.called('SendStreamingMessage', 3);
    expect(third.params.message?.taskId ?? '').toBe('');
    expect(agent.said()[2]).toContain('You are weather');
  });

  it('that has forgotten its task is told all anew', async () => {
    let forgets = false;
    const raw: Raw = (_, called, response) => {
      const isForgotten = forgets && called?.method === 'GetTask';
      const error = { code: -32001, message: 'Task not found' };
      return isForgotten && sendJson(response, { jsonrpc: '2.0', id: Object(called)['id'], error });
    };
    const agent = await startAgent(
      (stage) => {
        stage.begin();
        stage.status(TaskState.TASK_STATE_INPUT_REQUIRED, 'For which day?');
        forgets = true;
      },
      { raw },
    );
    const { url } = await startServer(agentsOf({ weather: agent.url }));
    const { made } = await create(url, talk('weather', 3));
    await ended(url, made.id);
    const second = await agent.called('SendStreamingMessage', 2);
    expect(second.params.message?.taskId ?? '').toBe('');
    expect(agent.said()[1]).toContain('You are weather');
  });

  it('that answers before its task is over is asked until it is', async () => {
    let asked = 0;
    const taskOf = (state: string) => ({ id: 't1', contextId: 'c1', status: { state } });
    const raw: Raw = (_, called, response) => {
      const id: unknown = Object(called)['id'];
      if (called?.method === 'SendMessage') {
        return sendJson(response, { jsonrpc: '2.0', id, result: { task: taskOf('TASK_STATE_SUBMITTED') } });
      }
      if (called?.method !== 'GetTask') return false;
      const isOver = ++asked === 3;
      const artifacts = [{ artifactId: 'a', parts: [{ text: isOver ? 'It will rain.' : 'It will' }] }];
      const state = isOver ? 'TASK_STATE_COMPLETED' : 'TASK_STATE_WORKING';
      return sendJson(response, { jsonrpc: '2.0', id, result: { ...taskOf(state), artifacts } });
    };
    const agent = await startAgent(() => {}, { streaming: false, raw });
    const { url } = await startServer(agentsOf({ weather: agent.url }));
    const { made } = await create(url, talk('weather', 1));
    await ended(url, made.id);
    expect((await messagesOf(url, made.id))[1]).toMatchObject({ content: 'It will rain.' });
  });

  it('has its task cancelled when the conversation ends before it', async () => {
    const agent = await startAgent(async (stage, signal) => {
      stage.begin();
      stage.artifact('It will');
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    });
    const { url } = await startServer(agentsOf({ weather: agent.url }));
    const { made } = await create(url, talk('weather'));
    const watcher = await watchSocket(url, made.id);
    await watcher.until((frame) => frame.type === 'turn.delta');
    await terminate(url, made.id);
    const { params } = await agent.called('CancelTask');
    expect(params.id).toMatch(/./);
  });
});

describe('13.3: what a remote agent does wrong', () => {
  /** One server with all of them: each agent has a circuit of its own. */
  const ending = new Map<string, Promise<Conversation>>();
  const cleanups: (() => void | Promise<void>)[] = [];
  const names = Object.keys(FAULTS);
  beforeAll(async () => {
    const whenOver = (cleanup: () => void | Promise<void>) => void cleanups.push(cleanup);
    const agents: Record<string, string> = {};
    for (const [index, { behaviour = () => {}, raw }] of Object.values(FAULTS).entries()) {
      agents[`faulty ${index}`] = (await startAgent(behaviour, raw ? { raw } : {}, whenOver)).url;
    }
    const environment = { ...agentsOf(agents), DATA_DIR: temporaryFolder(whenOver), RETRY_TRIES: '1' };
    const { url } = await startServer({ ...environment, CALL_TIMEOUT_SECONDS: '5' }, whenOver);
    for (const [index, name] of names.entries()) {
      const { made } = await create(url, talk(`faulty ${index}`));
      ending.set(name, ended(url, made.id));
    }
  });
  afterAll(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  it.each(Object.entries(FAULTS))('%s: the conversation ends with what it was', async (name, fault) => {
    const { reason, detail } = fault;
    const { termination, turns } = (await ending.get(name)) ?? {};
    expect({ termination, turns }).toEqual({
      termination: { reason, detail: expect.stringMatching(detail), by: 'system' },
      turns: 0,
    });
    expect(termination?.detail).toMatch(/^faulty \d+ \(a2a\): /);
  });

  it('is tried again where it may be mended, after what it asks for', async () => {
    let calls = 0;
    const raw: Raw = (path, _, response) => {
      if (path !== '/rpc' || ++calls > 1) return false;
      response.writeHead(429, { 'retry-after': '1' }).end();
      return true;
    };
    const agent = await startAgent(streamed, { raw });
    const patient = { RETRY_TRIES: '2', RETRY_FIRST_DELAY_MS: '0' };
    const { url } = await startServer({ ...agentsOf({ weather: agent.url }), ...patient });
    const { made } = await create(url, talk('weather', 1));
    const watcher = await watchSocket(url, made.id);
    await watcher.closed;
    const failed = watcher.frames.find((frame) => frame.type === 'turn.failed');
    expect(failed).toMatchObject({ error: expect.stringMatching(/^rate_limited/), retryInMs: 1000 });
    expect((await messagesOf(url, made.id))[1]).toMatchObject({ content: 'It will rain.' });
  });

  it('opens its circuit and no other agent’s; a fallback takes over', async () => {
    const { raw } = FAULTS['503'] ?? {};
    const bad = await startAgent(() => {}, raw ? { raw } : {});
    const good = await startAgent(streamed);
    const { url } = await startServer({
      ...agentsOf({ bad: bad.url, good: good.url }),
      CIRCUIT_FAILURES: '1',
    });
    const circuit = async () => {
      const { items } = await createClient({ baseUrl: url }).providers();
      return items.find(({ id }) => id === 'a2a');
    };
    expect(await circuit()).toMatchObject({
      configured: true,
      defaultModel: 'bad',
      models: ['bad', 'good'],
      circuit: 'closed',
    });
    const agents = [
      { provider: 'a2a', model: 'bad', name: 'Ada', fallbacks: [{ provider: 'a2a', model: 'good' }] },
      { provider: 'embedded', name: 'Ben' },
    ];
    const { made } = await create(url, { topic: 'Rain?', agents, maxTurns: 3 });
    expect(await ended(url, made.id)).toMatchObject({ turns: 3, termination: { reason: 'max_turns' } });
    expect((await messagesOf(url, made.id))[3]).toMatchObject({
      sender: 'Ada',
      metadata: { provider: 'a2a', model: 'good' },
    });
    // One failure, and then nobody calls it.
    expect(bad.calls.filter(({ method }) => method === 'SendStreamingMessage')).toHaveLength(1);
    expect(await circuit()).toMatchObject({ circuit: 'open' });
  });

  it('13.3, 12: an agent of the internet leads to no address within the network', async () => {
    const inside = await startAgent(streamed);
    const fetchFrom = agentFetch('http://93.184.216.34/agent');
    const port = new URL(inside.url).port;
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0x7f000001', '169.254.169.254']) {
      await expect(fetchFrom(`http://${host}:${port}/rpc`)).rejects.toThrow(/address that is not public/);
    }
    await expect(agentFetch('https://93.184.216.34/')('http://93.184.216.34/rpc')).rejects.toThrow(/https/);
    expect(inside.calls).toEqual([]);
    const neighbour = agentFetch('http://127.0.0.1:1/');
    expect((await neighbour(`${inside.url}/.well-known/agent-card.json`)).status).toBe(200);
  });
});

describe('13.3: the command line', () => {
  it('has remote agents take part, and has their cards looked at', async () => {
    const agent = await startAgent(streamed);
    const options = {
      folder: temporaryFolder(),
      environment: agentsOf({ weather: agent.url, gone: `http://127.0.0.1:${await freePort()}/` }),
    };
    const talked = await aic(
      ['Rain or sun?', '--agent', 'a2a:weather=Wanda', '--agent', 'embedded', '--turns', '1', '--json'],
      options,
    );
    expect(talked).toMatchObject({ code: 0, out: expect.stringContaining('It will rain.') });
    const { code, out } = await aic(['doctor'], options);
    expect({ code, out }).toMatchObject({
      code: 1,
      out: expect.stringMatching(/ok +remote agent weather: [\d.:]+ has a card of A2A 1\.0/),
    });
    expect(out).toMatch(/remote agent gone: 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });
});

describe('13.3: A2A_AGENTS', () => {
  it('unset: the provider is there, and says what to set', async () => {
    const { url } = await startServer();
    const { items } = await createClient({ baseUrl: url }).providers();
    expect(items.find(({ id }) => id === 'a2a')).toMatchObject({ configured: false, defaultModel: null });
    const answered = await call(url, '/conversations', { body: talk('weather') });
    expect([answered.status, answered.text]).toEqual([400, expect.stringContaining('A2A_AGENTS')]);
    expect(answered.body).toMatchObject({ code: 'provider_not_configured' });
  });

  it('says which names there are; nobody is taken who is not named', async () => {
    const { url } = await startServer(
      agentsOf({ weather: 'http://127.0.0.1:1/', news: 'http://127.0.0.1:1/' }),
    );
    const answered = await call(url, '/conversations', { body: talk('sports') });
    expect(answered).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'agents.0.model', message: 'is none of weather, news' }] },
    });
    const { made } = await create(url, { topic: 'Rain?', maxTurns: 1 });
    expect(made.agents.map(({ provider }) => provider)).toEqual(['embedded', 'embedded']);
  });
});
