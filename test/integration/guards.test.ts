import { describe, expect, it, onTestFinished } from 'vitest';
import type { ConversationEvent } from '../../src/client/types.ts';
import { create, ended } from '../fixtures/conversation-routes.ts';
import { follow } from '../fixtures/follower.ts';
import { startLlmGuard } from '../fixtures/guard/llm-guard.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { readLog } from '../fixtures/talks.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const KEY = 'sk-ant-api03-Zk3bQ9mXw7Rt5Lp2Vn8Cd4Hs6Jf1Gy0Ka';
const MARK = '[REDACTED:anthropic_key]';
const AGENTS = [
  { provider: 'local', name: 'Ada' },
  { provider: 'local', name: 'Ben' },
];

/** A server whose models say what a test has them say, in pieces. */
async function speaking(
  say: (prompt: string) => readonly string[],
  environment: Record<string, string> = {},
) {
  const prompts: string[] = [];
  // Nothing is said before somebody watches.
  let watched = Promise.resolve();
  const vendor = await startVendor('openai', async ({ body }) => {
    await watched;
    const prompt = JSON.stringify(body);
    prompts.push(prompt);
    return answer(say(prompt));
  });
  onTestFinished(vendor.close);
  const server = await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm', ...environment });
  /** Makes a conversation whose first words wait until somebody watches. */
  const watch = async (request: object) => {
    const gate = Promise.withResolvers<void>();
    watched = gate.promise;
    const { made } = await create(server.url, { topic: 'Keys', agents: AGENTS, maxTurns: 2, ...request });
    const watcher = await watchSocket(server.url, made.id);
    gate.resolve();
    return { id: made.id, watcher };
  };
  const talk = async (request: object = {}) => {
    const { id, watcher } = await watch(request);
    await watcher.closed;
    const conversation = await ended(server.url, id);
    return { id, frames: watcher.frames, conversation, log: await readLog(server.url, id) };
  };
  return { server, prompts, talk, watch };
}

function messagesOf(log: readonly ConversationEvent[]) {
  return log.flatMap((event) => (event.type === 'message' ? [event.message] : []));
}

describe('8.6: on the way out', () => {
  it('a secret that comes in single characters is redacted in deltas, messages and the next prompt', async () => {
    const said = `Take ${KEY}, and go.`;
    const { talk, prompts, server } = await speaking(() => [...said]);
    const { frames, log } = await talk();
    const [, first] = messagesOf(log);
    expect(first?.content).toBe(`Take ${MARK}, and go.`);
    expect(first?.metadata.guard).toEqual([
      { scanner: 'secrets', kind: 'anthropic_key', action: 'redact', count: 1 },
    ]);
    // 4.3: the deltas joined are the message.
    expect([...follow(frames).texts.values()]).toEqual(
      messagesOf(log)
        .slice(1)
        .map(({ content }) => content),
    );
    // What the server writes comes on its own way.
    await expect.poll(() => server.log.filter(({ event }) => event === 'guard.found').length).toBe(2);
    const everything = JSON.stringify([frames, log, prompts, server.log]);
    expect(everything).not.toContain(KEY.slice(13));
    const { text } = await call(server.url, '/metrics');
    expect(text).toContain(
      'ai_guard_findings_total{scanner="secrets",kind="anthropic_key",action="redact",way="out"} 2',
    );
  });

  it('what is blocked ends the conversation, and nothing of the reply leaves the server', async () => {
    const { talk, server } = await speaking(() => ['Nothing ', 'harmful ', 'so far: ', KEY]);
    const { frames, log, conversation } = await talk({ guard: { secrets: 'block' } });
    expect(conversation.termination).toEqual({
      reason: 'guard_blocked',
      detail: 'Ada: secrets (anthropic_key)',
      by: 'system',
    });
    expect(log.map(({ type }) => type)).toEqual([
      'conversation.created',
      'message',
      'attempt.spent',
      'conversation.terminated',
    ]);
    expect(conversation.usage.outputTokens).toBe(5);
    expect(frames.map(({ type }) => type)).not.toContain('turn.delta');
    expect(JSON.stringify([frames, log, server.log])).not.toMatch(/harmful|Zk3bQ9/);
  });

  it('of two hundred replies with a secret at every place no byte of it is anywhere', async () => {
    const secret = 'Zk3bQ9mXw7Rt5Lp2Vn8Cd4Hs6Jf1Gy0Ka';
    const filler = 'The talk goes on, and nobody knows where it will end. '.repeat(4);
    let calls = 0;
    const { server } = await speaking(() => {
      const at = calls++;
      const said = `${filler.slice(0, at)} sk-ant-api03-${secret} ${filler.slice(at)}`;
      // In one piece, in pieces of seven, in single characters.
      return said.match([/.+/g, /.{1,7}/g, /./g][at % 3] ?? /.+/g) ?? [];
    });
    const seen = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const { made } = await create(server.url, {
          topic: 'Keys',
          agents: AGENTS,
          guard: { secrets: 'block' },
        });
        const { text: frames } = await call(server.url, `/conversations/${made.id}/events`);
        const { text: log } = await call(server.url, `/conversations/${made.id}/log`);
        return frames + log;
      }),
    );
    const { text: metrics } = await call(server.url, '/metrics');
    expect(calls).toBe(200);
    expect(seen.every((text) => text.includes('guard_blocked'))).toBe(true);
    const everything = seen.join('') + JSON.stringify(server.log) + metrics;
    for (let at = 0; at + 8 <= secret.length; at++)
      expect(everything).not.toContain(secret.slice(at, at + 8));
    expect(everything).not.toContain('nobody knows');
  });

  it('where something is to be blocked, a harmless reply comes as one delta and its message', async () => {
    const { talk } = await speaking(() => ['All ', 'is ', 'well.']);
    const { frames } = await talk({ guard: { secrets: 'block' }, maxTurns: 1 });
    const deltas = frames.flatMap((frame) => (frame.type === 'turn.delta' ? [frame.text] : []));
    expect(deltas).toEqual(['All is well.']);
  });

  it('what is only flagged passes, and the message says so', async () => {
    const { talk } = await speaking(() => [`Hid\u200bden`], { GUARD_INVISIBLE: 'flag' });
    const [, reply] = messagesOf((await talk({ maxTurns: 1 })).log);
    expect(reply?.content).toBe('Hid\u200bden');
    expect(reply?.metadata.guard).toEqual([
      { scanner: 'invisible', kind: 'zero_width', action: 'flag', count: 1 },
    ]);
  });

  it('10.4: with approval flagged, what a guard found something in waits for somebody, and the rest goes on', async () => {
    const replies = [['All ', 'well.'], [`Take ${KEY}`]];
    const { server, watch } = await speaking(() => replies.shift() ?? ['Yes.']);
    const { id, watcher } = await watch({ approval: 'flagged' });
    const proposed = await watcher.until(({ type }) => type === 'turn.proposed');
    expect(proposed).toMatchObject({ turn: 2, message: { content: `Take ${MARK}` } });
    await watcher.until(({ type }) => type === 'conversation.paused');
    const deltas = watcher.frames.flatMap((frame) => (frame.type === 'turn.delta' ? [frame.text] : []));
    expect(deltas).toEqual(['All well.']);
    const body = { decision: 'approve' };
    expect((await call(server.url, `/conversations/${id}/approval`, { body })).status).toBe(200);
    await watcher.closed;
    expect(messagesOf(await readLog(server.url, id)).map(({ content }) => content)).toEqual([
      'Keys',
      'All well.',
      `Take ${MARK}`,
    ]);
  });

  it("a ballot's words are null where they are blocked, and its choice counts", async () => {
    const { talk } = await speaking((prompt) =>
      prompt.includes('now you vote') ? [`{"why": "He gave me ${KEY}", "choice": "tea"}`] : ['Tea.'],
    );
    const { log, conversation } = await talk({
      guard: { secrets: 'block' },
      decision: { type: 'vote', method: 'plurality', options: ['tea', 'coffee'], at: 'end' },
    });
    const ballots = log.filter((event) => event.type === 'ballot.cast');
    expect(ballots.map(({ choice, why }) => [choice, why])).toEqual([
      ['tea', null],
      ['tea', null],
    ]);
    expect(ballots[0]?.metadata.guard).toEqual([
      { scanner: 'secrets', kind: 'anthropic_key', action: 'block', count: 1 },
    ]);
    expect(conversation.outcome).toMatchObject({ winner: 'tea' });
    expect(JSON.stringify(log)).not.toContain('Zk3bQ9');
  });
});

describe('8.6: on the way in', () => {
  it('every text of a request is looked at', async () => {
    const { server } = await speaking(() => ['Yes.']);
    const judge = { provider: 'local', name: `J ${KEY}`, instructions: `j ${KEY}` };
    const body = {
      topic: `t ${KEY}`,
      openingMessage: `o ${KEY}`,
      agents: [
        { provider: 'local', name: `A ${KEY}`, instructions: `i ${KEY}` },
        { provider: 'human', name: 'Me' },
      ],
      termination: { when: { spoke: `A ${KEY}`, times: 9 } },
      decision: {
        type: 'judge',
        judge,
        rubric: [{ name: `r ${KEY}`, description: `d ${KEY}` }],
      },
    };
    const blocked = await call(server.url, '/conversations', {
      body: { ...body, guard: { secrets: 'block' } },
    });
    expect(blocked.status).toBe(400);
    const { errors } = blocked.body as { errors: { path: string; message: string }[] };
    expect(errors.map(({ path }) => path).sort()).toEqual([
      'agents.0.instructions',
      'agents.0.name',
      'decision.judge.instructions',
      'decision.judge.name',
      'decision.rubric.0.description',
      'decision.rubric.0.name',
      'openingMessage',
      'topic',
    ]);
    expect(errors[0]?.message).toBe('is blocked by the scanner secrets (anthropic_key)');

    const { made } = await create(server.url, body);
    expect(JSON.stringify(made)).not.toContain('Zk3bQ9');
    expect(made.settings.termination.when).toEqual({ spoke: `A ${MARK}`, times: 9 });
    const [opening] = messagesOf(await readLog(server.url, made.id));
    expect(opening?.metadata).toEqual({
      guard: [{ scanner: 'secrets', kind: 'anthropic_key', action: 'redact', count: 8 }],
    });

    const path = `/conversations/${made.id}`;
    const said = await call(server.url, `${path}/messages`, {
      body: { content: `c ${KEY}`, sender: `S ${KEY}` },
    });
    expect(said.body).toMatchObject({
      content: `c ${MARK}`,
      sender: `S ${MARK}`,
      metadata: { guard: [{ scanner: 'secrets', kind: 'anthropic_key', action: 'redact', count: 2 }] },
    });
    await call(server.url, `${path}/terminate`, { body: { detail: `d ${KEY}` } });
    expect((await ended(server.url, made.id)).termination?.detail).toBe(`d ${MARK}`);
    expect(JSON.stringify(server.log)).not.toContain('Zk3bQ9');
  });

  it('a conversation may be stricter than the server, and not laxer', async () => {
    const { server } = await speaking(() => ['Yes.'], { GUARD_PERSONAL_DATA: 'flag' });
    const tried = async (guard: object) => {
      const made = await call(server.url, '/conversations', {
        body: { topic: 'Guards', agents: AGENTS, maxTurns: 1, guard },
      });
      return [made.status, (made.body as { errors?: { path: string; message: string }[] }).errors?.[0]];
    };
    expect(await tried({ secrets: 'flag' })).toEqual([
      400,
      { path: 'guard.secrets', message: "is laxer than the server's, which is redact" },
    ]);
    expect(await tried({ personal_data: 'off' })).toMatchObject([400, { path: 'guard.personal_data' }]);
    expect(await tried({ llm_guard: 'flag' })).toMatchObject([400, { path: 'guard.llm_guard' }]);
    expect(await tried({ injection: 'loud' })).toMatchObject([400, { path: 'guard.injection' }]);
    expect(await tried({ sorcery: 'flag' })).toMatchObject([400, { path: 'guard.sorcery' }]);
    expect(await tried({ secrets: 'redact', personal_data: 'block', injection: null })).toEqual([
      201,
      undefined,
    ]);
  });

  it('what is nothing but invisible is empty', async () => {
    const { server } = await speaking(() => ['Yes.']);
    const made = await call(server.url, '/conversations', {
      body: { topic: '\u200b\u2060', agents: AGENTS },
    });
    expect(made.body).toMatchObject({ status: 400, errors: [{ path: 'topic' }] });
  });
});

describe('8.6: llm_guard', () => {
  it('is asked on both ways, and its no is heard', async () => {
    const guard = await startLlmGuard(({ body }) => ({
      is_valid: !(body.output ?? body.prompt).includes('dreadful'),
      scanners: { Toxicity: 0.9 },
    }));
    const { server, talk } = await speaking(() => ['How ', 'dreadful!'], { LLM_GUARD_URL: guard.url });
    const body = { topic: 'A dreadful topic', agents: AGENTS, guard: { llm_guard: 'block' } };
    expect((await call(server.url, '/conversations', { body })).body).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'topic', message: 'is blocked by the scanner llm_guard (Toxicity)' }],
    });
    const flagged = await talk({ maxTurns: 1 });
    expect(messagesOf(flagged.log).at(-1)).toMatchObject({
      content: 'How dreadful!',
      metadata: { guard: [{ scanner: 'llm_guard', kind: 'Toxicity', action: 'flag', count: 1 }] },
    });
    const blocked = await talk({ guard: { llm_guard: 'block' } });
    expect(blocked.conversation.termination).toMatchObject({
      reason: 'guard_blocked',
      detail: 'Ada: llm_guard (Toxicity)',
    });
    expect(guard.asked.map(({ path }) => path)).toContain('/analyze/output');
    const { text } = await call(server.url, '/metrics');
    expect(text).toContain('scanner="llm_guard",kind="any",action="block",way="out"} 1');
  });
});
