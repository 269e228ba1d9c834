import { beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import type { ConversationEvent, ConversationRequest } from '../../src/client/types.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import { type Cleanup, type ServerProcess, sharedByTests, startServer } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor, type VendorCall } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

/** Each conversation has a model of its own, so that tests that share servers tell their calls apart. */
const ada = { provider: 'local', name: 'Ada' };
const MODELS = [ada, { provider: 'local', name: 'Ben' }];
const WITH_ME = [{ provider: 'human', name: 'Me' }, ada];

/** A conversation that one server runs while people come to another, where there are two. */
interface Scene {
  id: string;
  url: string;
  client: Client;
  nextCall: () => Promise<VendorCall>;
  log: () => Promise<ConversationEvent[]>;
  /** The first event with this type, to come or past, that is not one of those before `after`. */
  heard: (type: string, after?: number) => Promise<ConversationEvent>;
}

interface Stage {
  servers: ServerProcess[];
  vendor: SteppedVendor;
}

let scenes = 0;

async function sceneOn({ servers, vendor }: Stage, request: Partial<ConversationRequest>): Promise<Scene> {
  const model = `scene-${++scenes}`;
  const agents = request.agents ?? MODELS;
  const url = servers.at(-1)?.url ?? '';
  const { id } = await startTalk(servers[0]?.url ?? '', {
    ...request,
    agents: agents.map((agent) => (agent.provider === 'local' ? { ...agent, model } : agent)),
  });
  const watcher = await watchSocket(url, id);
  return {
    id,
    url,
    client: createClient({ baseUrl: url }),
    nextCall: () => vendor.nextCall(model),
    log: () => readLog(url, id),
    heard: async (type, after = 0) =>
      (await watcher.until(
        (frame) => frame.type === type && 'seq' in frame && frame.seq > after,
      )) as unknown as ConversationEvent,
  };
}

const BACKENDS = [
  { name: 'SQLite', environmentsOf: () => Promise.resolve([{}]) },
  {
    name: 'Redis, on another instance',
    environmentsOf: async (whenOver: Cleanup): Promise<Record<string, string>[]> => {
      const { url: REDIS_URL } = await redisOfTest({}, whenOver);
      return [{ REDIS_URL }, { REDIS_URL, MAX_ACTIVE_CONVERSATIONS: '1' }];
    },
  },
];

/** A log in short. */
function short(events: readonly ConversationEvent[]): string[] {
  return events.map((event) => {
    switch (event.type) {
      case 'message':
        return `${event.message.turn} ${event.message.sender}: ${event.message.content}`;
      case 'conversation.paused':
        return `paused for ${event.for}`;
      default:
        return event.type;
    }
  });
}

describe.each(BACKENDS)('$name', ({ environmentsOf }) => {
  const { whenOver } = sharedByTests();
  let stage: Stage;
  beforeAll(async () => {
    const vendor = await startSteppedVendor();
    whenOver(async () => await vendor[Symbol.asyncDispose]());
    const environments = await environmentsOf(whenOver);
    const servers = await Promise.all(
      environments.map((environment) => startServer({ ...vendor.environment, ...environment }, whenOver)),
    );
    stage = { servers, vendor };
  });
  const start = (request: Partial<ConversationRequest> = {}): Promise<Scene> => sceneOn(stage, request);

  it('10.1: /pause stands at once, the turn under way behind it, and /resume goes on', async () => {
    const { client, id, nextCall, heard, log } = await start({ maxTurns: 2 });
    const first = await nextCall();
    await first.say('One.');
    const paused = await client.pause(id, { detail: 'lunch' });
    expect(paused).toMatchObject({
      status: 'paused',
      pause: { for: 'user', by: 'user', detail: 'lunch', since: expect.any(String) },
      lastSeq: 3,
    });
    expect(await client.pause(id)).toMatchObject({ status: 'paused', lastSeq: 3 });
    first.finish();
    await heard('message', 3);
    expect(await client.getConversation(id)).toMatchObject({ status: 'paused', turns: 1, lastSeq: 4 });
    expect(await client.resume(id)).toMatchObject({ pause: null, turns: 1, lastSeq: 5 });
    await expect(client.resume(id)).rejects.toMatchObject({ status: 409, code: 'conflict' });
    const second = await nextCall();
    await second.say('Two.');
    second.finish();
    await heard('conversation.terminated');
    expect(short(await log()).slice(2)).toEqual([
      'paused for user',
      '1 Ada: One.',
      'conversation.resumed',
      '2 Ben: Two.',
      'conversation.terminated',
    ]);
    await expect(client.pause(id)).rejects.toMatchObject({ status: 409, code: 'conversation_terminated' });
  });

  it('10.1: with `now` the turn under way is cut off, and counts', async () => {
    const { client, id, nextCall, heard, log } = await start({ maxTurns: 1 });
    const first = await nextCall();
    await first.say('Never mind');
    await expect.poll(async () => (await client.getConversation(id)).status).toBe('running');
    await client.pause(id, { now: true });
    await first.abandoned;
    const spent = await heard('attempt.spent');
    expect(spent).toMatchObject({ turn: 1, agent: 'Ada', error: 'interrupted', estimated: true });
    await client.resume(id);
    const second = await nextCall();
    await second.say('One.');
    second.finish();
    await heard('conversation.terminated');
    expect(short(await log()).slice(2)).toEqual([
      'paused for user',
      'attempt.spent',
      'conversation.resumed',
      '1 Ada: One.',
      'conversation.terminated',
    ]);
  });

  it('10.2: what a person says stands behind the log, and the turn under way follows with its text', async () => {
    const { client, id, nextCall, heard, log } = await start({ maxTurns: 1 });
    const first = await nextCall();
    await first.say('Half and ');
    const said = await client.say(id, { content: 'May I?', sender: 'Zoe' });
    expect(said).toMatchObject({ seq: 3, turn: 0, sender: 'Zoe', role: 'human', content: 'May I?' });
    await first.say('whole.');
    first.finish();
    await heard('conversation.terminated');
    expect(short(await log()).slice(2)).toEqual([
      '0 Zoe: May I?',
      '1 Ada: Half and whole.',
      'conversation.terminated',
    ]);
    await expect(client.say(id, { content: 'Late' })).rejects.toMatchObject({
      code: 'conversation_terminated',
    });
  });

  it('10.2: with `interrupt` the attempt is void and the turn is spoken anew', async () => {
    const { client, id, url, nextCall, heard, log } = await start({ maxTurns: 1 });
    const watcher = await watchSocket(url, id);
    const first = await nextCall();
    await first.say('Wrong');
    await watcher.until(({ type }) => type === 'turn.delta');
    await client.say(id, { content: 'Stop!', role: 'moderator', interrupt: true });
    await first.abandoned;
    const failed = await watcher.until(({ type }) => type === 'turn.failed');
    expect(failed).toMatchObject({ turn: 1, error: 'interrupted' });
    const second = await nextCall();
    await second.say('Right.');
    second.finish();
    await heard('conversation.terminated');
    expect(short(await log()).slice(2)).toEqual([
      '0 Moderator: Stop!',
      'attempt.spent',
      '1 Ada: Right.',
      'conversation.terminated',
    ]);
  });

  it("10.3: a person's turn is waited for, and is an agent's in every rule", async () => {
    const { client, id, nextCall, heard, log } = await start({ agents: WITH_ME, maxTurns: 3 });
    await heard('conversation.paused');
    expect(await client.getConversation(id)).toMatchObject({
      status: 'paused',
      pause: { for: 'human', by: 'system', agent: 'Me' },
      agents: [{ name: 'Me', provider: 'human', model: '', turns: 0, state: 'idle' }, {}],
    });
    await expect(client.resume(id)).rejects.toMatchObject({ code: 'conflict' });
    expect(await client.say(id, { content: 'I begin.' })).toMatchObject({
      turn: 1,
      sender: 'Me',
      role: 'human',
    });
    const reply = await nextCall();
    await expect(client.say(id, { content: 'Me again', sender: 'Me' })).rejects.toMatchObject({
      code: 'conflict',
    });
    await reply.say('Ada it is.');
    reply.finish();
    await heard('conversation.paused', 6);
    await client.say(id, { content: 'The end.', sender: 'Me' });
    await heard('conversation.terminated');
    expect(short(await log()).slice(2)).toEqual([
      'paused for human',
      '1 Me: I begin.',
      'conversation.resumed',
      '2 Ada: Ada it is.',
      'paused for human',
      '3 Me: The end.',
      'conversation.terminated',
    ]);
    expect(await client.getConversation(id)).toMatchObject({
      termination: { reason: 'max_turns' },
      agents: [{ turns: 2 }, { turns: 1 }],
      usage: { costUsd: 0 },
    });
  });

  it('10.1: a pause during another wait holds behind it', async () => {
    const { client, id, nextCall, heard } = await start({ agents: WITH_ME, maxTurns: 2 });
    await heard('conversation.paused');
    const { status, pause } = await client.pause(id);
    expect({ status, pause }).toEqual({
      status: 'paused',
      pause: { for: 'human', by: 'system', agent: 'Me', since: expect.any(String) },
    });
    await client.say(id, { content: 'I begin.' });
    expect(await client.getConversation(id)).toMatchObject({ status: 'paused', pause: { for: 'user' } });
    await client.resume(id);
    const reply = await nextCall();
    await reply.say('Ada it is.');
    reply.finish();
    await heard('conversation.terminated');
  });

  it('10.4: a reply is held back until it is decided about, and no word of it is seen before', async () => {
    const { client, id, url, nextCall, heard, log } = await start({ maxTurns: 2, approval: 'every_turn' });
    const turnsCounted = async (): Promise<number> => {
      const { text } = await call(url, '/metrics');
      return Number(/^ai_turns_total\{provider="local".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    const turnsBefore = await turnsCounted();
    const watcher = await watchSocket(url, id);
    const first = await nextCall();
    await first.say('Too bold.');
    first.finish();
    const proposed = await heard('turn.proposed');
    expect(proposed).toMatchObject({ turn: 1, message: { sender: 'Ada', content: 'Too bold.' } });
    await expect
      .poll(() => client.getConversation(id))
      .toMatchObject({ status: 'paused', pause: { for: 'approval', agent: 'Ada' }, turns: 0 });
    const { seq } = proposed;
    await expect(client.approve(id, { decision: 'approve', seq: seq + 1 })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(client.approve(id, { decision: 'edit' })).rejects.toMatchObject({ status: 400 });
    await client.approve(id, { decision: 'reject', detail: 'be humble' });
    await expect(client.approve(id, { decision: 'approve', seq })).rejects.toMatchObject({ status: 409 });
    const second = await nextCall();
    await second.say('Perhaps.');
    second.finish();
    const again = await heard('turn.proposed', seq);
    await expect.poll(async () => (await client.getConversation(id)).status).toBe('paused');
    await client.approve(id, { decision: 'edit', content: 'Perhaps not.', seq: again.seq });
    const third = await nextCall();
    await third.say('Yes.');
    third.finish();
    await heard('turn.proposed', again.seq);
    await expect.poll(async () => (await client.getConversation(id)).status).toBe('paused');
    await client.approve(id, { decision: 'approve' });
    await heard('conversation.terminated');
    const events = await log();
    const messages = events.flatMap((event) => (event.type === 'message' ? [event.message] : []));
    expect(messages.slice(1)).toMatchObject([
      { turn: 1, content: 'Perhaps not.', metadata: { edited: true } },
      { turn: 2, content: 'Yes.' },
    ]);
    expect(messages[2]?.metadata).not.toHaveProperty('edited');
    expect(watcher.frames.filter(({ type }) => type === 'turn.delta')).toEqual([]);
    const { items } = await client.messages(id);
    expect(JSON.stringify(items)).not.toContain('Too bold.');
    // Each call is charged once: the rejected one, too.
    const { usage } = await client.getConversation(id);
    expect(usage.outputTokens).toBe(3 * 5);
    // What was let through is a turn where it was.
    expect((await turnsCounted()) - turnsBefore).toBe(2);
  });

  it('10.4: the third rejection of a turn asks the user', async () => {
    const { client, id, nextCall } = await start({ maxTurns: 1, approval: 'every_turn' });
    for (let time = 1; time <= 3; time++) {
      const attempt = await nextCall();
      await attempt.say(`No ${time}.`);
      attempt.finish();
      await expect.poll(async () => (await client.getConversation(id)).pause?.for).toBe('approval');
      await client.approve(id, { decision: 'reject' });
    }
    expect(await client.getConversation(id)).toMatchObject({
      status: 'paused',
      pause: { for: 'user', by: 'system', agent: 'Ada' },
    });
    await client.resume(id);
    const fourth = await nextCall();
    await fourth.say('At last.');
    fourth.finish();
    await expect.poll(async () => (await client.getConversation(id)).pause?.for).toBe('approval');
    expect(await client.approve(id, { decision: 'approve' })).toMatchObject({ status: 'terminated' });
  });

  it('10.5: /next says who speaks, once, and ends a wait for a person', async () => {
    const { client, id, nextCall, heard, log } = await start({ agents: WITH_ME, maxTurns: 2 });
    await heard('conversation.paused');
    await client.next(id, 'Ada');
    const reply = await nextCall();
    await reply.say('I take it.');
    reply.finish();
    await heard('conversation.paused', 5);
    expect(short(await log()).slice(2)).toEqual([
      'paused for human',
      'speaker.chosen',
      'conversation.resumed',
      '1 Ada: I take it.',
      'paused for human',
    ]);
    await expect(client.next(id, 'Zoe')).rejects.toMatchObject({ status: 400 });
  });

  it('10.6: what is retracted stays in the log, and is shown to no agent', async () => {
    const { client, id, nextCall, heard } = await start({ maxTurns: 2 });
    const first = await nextCall();
    await first.say('A secret.');
    first.finish();
    const { seq } = await heard('message', 2);
    expect(await client.retract(id, { seq, detail: 'private' })).toMatchObject({ seq, retracted: true });
    expect(await client.retract(id, { seq })).toMatchObject({ seq, retracted: true });
    expect(await heard('message.retracted')).toMatchObject({ target: seq, by: 'user', detail: 'private' });
    expect((await client.messages(id)).items).toMatchObject([{}, { seq, retracted: true }]);
    await expect(client.retract(id, { seq: 2 })).rejects.toMatchObject({ status: 400 });
    await expect(client.retract(id, { seq: 99 })).rejects.toMatchObject({ status: 400 });
    await client.say(id, { content: 'Anew, please.', interrupt: true });
    let attempt = await nextCall();
    while (!attempt.prompt.includes('Anew')) attempt = await nextCall();
    expect(attempt.prompt).not.toContain('A secret.');
    await attempt.say('Anew.');
    attempt.finish();
    await heard('conversation.terminated');
  });

  it('10.7: a fork goes on from a message under settings of its own; the original is not touched', async () => {
    const { client, id, nextCall, heard, log } = await start({ maxTurns: 2, metadata: { run: '1' } });
    for (const text of ['One.', 'Two.']) {
      const attempt = await nextCall();
      await attempt.say(text);
      attempt.finish();
    }
    await heard('conversation.terminated');
    const original = await log();
    const request = { atSeq: 3, metadata: { run: '2' }, termination: { phrases: ['one.'] } };
    const fork = await client.fork(id, request, { idempotencyKey: 'f' });
    expect(fork).toMatchObject({
      forkedFrom: { id, seq: 3 },
      topic: 'Is tea better than coffee?',
      turns: 1,
      maxTurns: 3,
      lastSeq: 3,
      usage: { totalTokens: 0 },
      metadata: { run: '2' },
    });
    expect((await client.fork(id, request, { idempotencyKey: 'f' })).id).toBe(fork.id);
    await expect(client.fork(id, { atSeq: 4 }, { idempotencyKey: 'f' })).rejects.toMatchObject({
      status: 422,
    });
    const next = await nextCall();
    expect(next.prompt).toContain('One.');
    expect(next.prompt).not.toContain('Two.');
    const { items } = await client.log(fork.id);
    expect(items[0]).toMatchObject({ type: 'conversation.created', forkedFrom: { id, seq: 3 }, copies: 2 });
    const [, , copied] = items;
    expect({ ...copied, seq: 3 }).toEqual(original[2]);
    await expect(client.fork(id, { atSeq: 5 })).rejects.toMatchObject({ status: 400 });
    await expect(client.fork(id, { maxTurns: 2 })).rejects.toMatchObject({ status: 400 });
    await client.terminate(fork.id);
    expect(await log()).toEqual(original);
  });

  it('2.6: a message with an idempotency key is said once', async () => {
    const { client, id, url, nextCall, log } = await start();
    await nextCall();
    const say = (content: string) =>
      call(url, `/conversations/${id}/messages`, { body: { content }, headers: { 'idempotency-key': 'm' } });
    const answers = await Promise.all([say('Once.'), say('Once.'), say('Once.')]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const replayed = answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true');
    expect(replayed).toHaveLength(2);
    expect(await say('Twice.')).toMatchObject({ status: 422 });
    expect(short(await log()).slice(2)).toEqual(['0 Human: Once.']);
    await client.terminate(id);
    // A client that tries again learns what became of it, whatever came behind it.
    expect(await say('Once.')).toMatchObject({
      status: 201,
      text: answers[0]?.text,
      headers: { 'idempotency-replayed': 'true' },
    });
    expect(await say('Twice.')).toMatchObject({ status: 422 });
  });

  it('10.2: a name that is no person is refused', async () => {
    const { client, id, nextCall } = await start();
    await nextCall();
    for (const wrong of [{ sender: 'Ada' }, { sender: 'Moderator' }, { visibleTo: ['Nobody'] }]) {
      await expect(client.say(id, { content: 'x', ...wrong })).rejects.toMatchObject({ status: 400 });
    }
    await client.terminate(id);
  });
});
