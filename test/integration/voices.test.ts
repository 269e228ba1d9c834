import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, ConversationRequest } from '../../src/client/types.ts';
import { BUILT_IN_SCENARIOS } from '../../src/conversation/scenarios/built-in.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { follow } from '../fixtures/follower.ts';
import { call } from '../fixtures/http.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog } from '../fixtures/talks.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const local = (name: string) => ({ provider: 'local', name });

/** A vendor whose models answer what a test says, and the prompts that they were sent. */
async function scripted(say: (prompt: string) => string, request: object) {
  const prompts: string[] = [];
  const vendor = await startVendor('openai', ({ body }) => {
    const prompt = JSON.stringify(body);
    prompts.push(prompt);
    return answer(say(prompt));
  });
  onTestFinished(vendor.close);
  const server = await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm' });
  const made = await call(server.url, '/conversations', { body: { topic: 'Tea or coffee?', ...request } });
  expect([made.status, made.text]).toEqual([201, expect.anything()]);
  const { id } = made.body as { id: string };
  const conversation = await ended(server.url, id);
  const { text: metrics } = await call(server.url, '/metrics');
  return { prompts, conversation, log: await readLog(server.url, id), metrics };
}

/** Which question a prompt asks that is no turn. */
const asks = (prompt: string): 'choice' | 'ballot' | 'verdict' | undefined =>
  prompt.includes('You moderate a talk')
    ? 'choice'
    : prompt.includes('now you vote')
      ? 'ballot'
      : prompt.includes('You judge a talk')
        ? 'verdict'
        : undefined;

function eventsOf<Type extends ConversationEvent['type']>(log: ConversationEvent[], type: Type) {
  return log.filter((event): event is Extract<ConversationEvent, { type: Type }> => event.type === type);
}

describe('9.1: moderator', () => {
  it('says who speaks, and that it is over; what names nobody is asked for again, then the next in order speaks', async () => {
    const choices = ['{"agent": "Ben"}', 'nobody knows', 'Zoe', '{"over": true}'];
    const { log, conversation } = await scripted(
      (prompt) => (asks(prompt) ? (choices.shift() ?? '{"over": true}') : 'Well.'),
      {
        agents: [local('Ada'), local('Ben')],
        turnPolicy: { type: 'moderator', moderator: { provider: 'local', name: 'Chair' }, tries: 2 },
      },
    );
    const chosen = eventsOf(log, 'speaker.chosen');
    expect(chosen.map(({ agent, by }) => [agent, by])).toEqual([
      ['Ben', 'moderator'],
      ['Ada', 'fallback'],
    ]);
    expect(eventsOf(log, 'attempt.spent').map(({ error }) => error)).toEqual([
      'unreadable',
      'unreadable',
      'over',
    ]);
    expect(conversation).toMatchObject({ turns: 2, termination: { reason: 'completed' } });
    // Five calls of the moderator and two of the agents, each with 5 tokens of output as the vendor says.
    expect(conversation.usage.totalTokens).toBeGreaterThan(0);
  });
});

describe('9.1: panel', () => {
  it('calls all at the same time, shows and keeps their turns in the order of the roster, and nobody sees another', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    const client = createClient({ baseUrl: server.url });
    const { id } = await client.createConversation({
      topic: 'Tea or coffee?',
      agents: [local('Ada'), local('Ben'), local('Cyd')],
      turnPolicy: { type: 'panel', rounds: 2 },
    });
    const watcher = await watchSocket(server.url, id);
    for (let round = 0; round < 2; round++) {
      const calls = [await vendor.nextCall(), await vendor.nextCall(), await vendor.nextCall()];
      // The last is ready first; readers hear them in order all the same.
      for (const [place, each] of [...calls.entries()].reverse()) {
        expect(each.prompt).not.toContain(`round ${round} of`);
        await each.say(`Answer ${place} in round ${round} of ${place}.`);
        each.finish();
      }
      await watcher.until((frame) => frame.type === 'message' && frame.message.turn === 3 * round + 3);
    }
    await watcher.closed;
    follow(watcher.frames);
    const turns = watcher.frames.flatMap((frame) =>
      frame.type === 'turn.started'
        ? [`started ${frame.agent}`]
        : frame.type === 'message'
          ? [frame.message.sender]
          : [],
    );
    expect(turns).toEqual([
      'Moderator',
      ...['Ada', 'Ben', 'Cyd', 'Ada', 'Ben', 'Cyd'].flatMap((name) => [`started ${name}`, name]),
    ]);
    expect(await client.getConversation(id)).toMatchObject({
      turns: 6,
      termination: { reason: 'completed' },
    });
  });

  it('hides names from the others where it is anonymous', async () => {
    const { prompts } = await scripted(() => 'I am Ada, and Ben is right.', {
      agents: [local('Ada'), local('Ben')],
      turnPolicy: { type: 'panel', rounds: 2, anonymous: true },
    });
    expect(prompts).toHaveLength(4);
    for (const prompt of prompts) {
      const self = /You are (\w+),/.exec(prompt)?.[1];
      expect(prompt).not.toContain(self === 'Ada' ? 'Ben' : 'Ada');
    }
  });

  /** A panel whose members say what the test has them say; each member's call by its name. */
  async function begun(names: readonly string[], rounds = 1) {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    const client = createClient({ baseUrl: server.url });
    const agents = names.map(local);
    const made = await client.createConversation({
      topic: 'Tea?',
      agents,
      turnPolicy: { type: 'panel', rounds },
    });
    const watcher = await watchSocket(server.url, made.id);
    const callsOf = async (count: number) => {
      const calls = await Promise.all(Array.from({ length: count }, () => vendor.nextCall()));
      return Object.fromEntries(calls.map((each) => [/You are (\w+),/.exec(each.prompt)?.[1] ?? '', each]));
    };
    const callsBy = async (status: string): Promise<number> => {
      const { text } = await call(server.url, '/metrics');
      const lines = text.matchAll(new RegExp(`^ai_api_calls_total\\{.*status="${status}"\\} (\\d+)$`, 'gm'));
      return Array.from(lines, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
    };
    const log = () => readLog(server.url, made.id);
    return { id: made.id, url: server.url, client, watcher, callsOf, callsBy, log };
  }

  it('a member that fails ends it: what the others said is charged, and nobody is asked again', async () => {
    const { callsOf, callsBy, watcher, log } = await begun(['Ada', 'Ben', 'Cyd']);
    const { Ada, Ben, Cyd } = await callsOf(3);
    await Ben?.say('All that I know.');
    Ben?.finish();
    await expect.poll(() => callsBy('success')).toBe(1);
    await Cyd?.say('Half of');
    Ada?.fail(401);
    await watcher.closed;
    const spent = eventsOf(await log(), 'attempt.spent');
    expect(
      spent.map(({ agent, error }) => `${agent} ${error}`).toSorted((one, other) => one.localeCompare(other)),
    ).toEqual(['Ben interrupted', 'Cyd interrupted']);
    expect(eventsOf(await log(), 'conversation.terminated')).toMatchObject([
      { reason: 'configuration_error' },
    ]);
    expect([await callsBy('success'), await callsBy('error')]).toEqual([1, 2]);
  });

  it('an interruption makes void what does not stand yet, and each is spoken anew once', async () => {
    const { id, client, callsOf, callsBy, watcher, log } = await begun(['Ada', 'Ben']);
    const { Ada, Ben } = await callsOf(2);
    await Ben?.say('Before.');
    Ben?.finish();
    await expect.poll(() => callsBy('success')).toBe(1);
    await Ada?.say('Bef');
    await watcher.until(({ type }) => type === 'turn.delta');
    await client.say(id, { content: 'Think of milk!', interrupt: true });
    for (const name of ['Ada', 'Ben']) {
      const { [name]: again } = await callsOf(1);
      expect(again?.prompt).toContain('Think of milk!');
      await again?.say(`${name} knows.`);
      again?.finish();
    }
    await watcher.closed;
    const messages = eventsOf(await log(), 'message').map(({ message }) => message.content);
    expect(messages.slice(1)).toEqual(['Think of milk!', 'Ada knows.', 'Ben knows.']);
    expect(eventsOf(await log(), 'attempt.spent').map(({ agent }) => agent)).toEqual(['Ada', 'Ben']);
    expect(await client.getConversation(id)).toMatchObject({ termination: { reason: 'completed' } });
  });

  it('a pause is looked at behind the round', async () => {
    const { id, client, callsOf, watcher } = await begun(['Ada', 'Ben'], 2);
    const first = await callsOf(2);
    await client.pause(id);
    for (const [name, each] of Object.entries(first)) {
      await each.say(`${name} knows.`);
      each.finish();
    }
    await watcher.until((frame) => frame.type === 'message' && frame.message.turn === 2);
    expect(await client.getConversation(id)).toMatchObject({ status: 'paused', turns: 2 });
    await client.resume(id);
    expect(Object.keys(await callsOf(2)).toSorted()).toEqual(['Ada', 'Ben']);
    await client.terminate(id);
  });

  it('sets all of a round aside before the first call', async () => {
    const { log, conversation } = await scripted(() => 'Well.', {
      agents: [local('Ada'), local('Ben'), local('Cyd')].map((each) => ({ ...each, maxOutputTokens: 400 })),
      turnPolicy: { type: 'panel', rounds: 1 },
      termination: { maxTotalTokens: 900 },
    });
    expect(conversation).toMatchObject({ termination: { reason: 'token_budget' } });
    expect(eventsOf(log, 'message')).toHaveLength(1);
  });
});

describe('9.4: votes', () => {
  it('ask everybody, hide names, ask once more for what cannot be read, and fix the reason before', async () => {
    const ballots = ['no idea', 'still none', '{"why": "Best.", "choice": "tea"}', 'coffee!', '"tea"'];
    const { log, conversation, prompts } = await scripted(
      (prompt) => (asks(prompt) ? (ballots.shift() ?? '?') : 'I am Ada.'),
      {
        agents: [local('Ada'), local('Ben'), { ...local('Cyd'), speaks: 'never' }],
        maxTurns: 2,
        decision: { type: 'vote', method: 'plurality', options: ['tea', 'coffee'] },
        termination: { similarity: { threshold: 1, nudge: false } },
      },
    );
    expect(log.map(({ type }) => type).filter((type) => type !== 'attempt.spent')).toEqual([
      'conversation.created',
      'message',
      'message',
      'message',
      'conversation.closing',
      'ballot.cast',
      'ballot.cast',
      'ballot.cast',
      'vote.closed',
      'conversation.terminated',
    ]);
    const cast = eventsOf(log, 'ballot.cast');
    expect(cast.map(({ agent }) => agent).toSorted()).toEqual(['Ada', 'Ben', 'Cyd']);
    const [closed] = eventsOf(log, 'vote.closed');
    expect((closed?.valid ?? 0) + (closed?.invalid ?? 0)).toBe(3);
    expect(conversation).toMatchObject({
      termination: { reason: 'max_turns', by: 'system' },
      outcome: { type: 'vote', method: 'plurality', tally: closed?.tally },
    });
    const asked = prompts.filter((each) => asks(each) === 'ballot');
    expect(asked).toHaveLength(5);
    for (const prompt of asked) {
      expect(prompt).toContain('Participant 1: I am Participant 1.');
    }
  });

  it('a pause loses no ballot, and what somebody chose comes before what was asked', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    const client = createClient({ baseUrl: server.url });
    const { id } = await client.createConversation({
      topic: 'Tea?',
      agents: [local('Ada'), local('Ben')],
      turnPolicy: { type: 'moderator', moderator: { provider: 'local', name: 'Chair' } },
      decision: { type: 'vote', method: 'plurality', options: ['tea', 'milk'], at: { everyRounds: 1 } },
      termination: { similarity: { threshold: 1, nudge: false } },
    });
    const watcher = await watchSocket(server.url, id);
    const heard = (type: string, times = 1) =>
      watcher.until(() => watcher.frames.filter((frame) => frame.type === type).length >= times);
    const next = async (says: string) => {
      const each = await vendor.nextCall();
      await each.say(says);
      each.finish();
    };
    const choice = await vendor.nextCall();
    await client.next(id, 'Ben');
    await choice.say('{"agent": "Ada"}');
    choice.finish();
    await next('Ben it is.');
    await next('{"agent": "Ada"}');
    await next('Ada, too.');
    const ballots = [await vendor.nextCall(), await vendor.nextCall()];
    await client.pause(id);
    for (const each of ballots) {
      await each.say('{"choice": "tea", "why": ""}');
      each.finish();
    }
    await heard('vote.closed');
    expect(await client.getConversation(id)).toMatchObject({
      status: 'paused',
      outcome: { winner: 'tea', valid: 2 },
    });
    const log = await readLog(server.url, id);
    expect(eventsOf(log, 'speaker.chosen').map(({ agent, by }) => [agent, by])).toEqual([
      ['Ben', 'human'],
      ['Ada', 'moderator'],
    ]);
    // The first choice came too late, and was paid for.
    expect(eventsOf(log, 'attempt.spent')).toMatchObject([{ agent: 'Chair', error: 'superseded' }]);
    await client.terminate(id);
  });

  it('a consensus ends the talk as soon as there is one, and is counted with its calls', async () => {
    let round = 0;
    const { conversation, log, metrics } = await scripted(
      (prompt) => {
        if (asks(prompt) !== 'ballot') return `Proposal ${round++}.`;
        return prompt.includes('Proposal 3') ? '{"choice": "agree"}' : '{"choice": "disagree"}';
      },
      {
        agents: [local('Ada'), local('Ben')],
        decision: { type: 'consensus' },
        termination: { similarity: { threshold: 1, nudge: false } },
      },
    );
    expect(conversation).toMatchObject({
      turns: 4,
      termination: { reason: 'consensus', detail: '2 of 2 agree' },
      outcome: { type: 'consensus', winner: 'agree', tally: { agree: 2, disagree: 0 } },
    });
    expect(eventsOf(log, 'vote.closed').map(({ winner }) => winner)).toEqual([null, 'agree']);
    expect(metrics).toContain('ai_conversations_ended_total{reason="consensus"} 1');
    const sumOf = (name: string): number =>
      Array.from(metrics.matchAll(new RegExp(`^${name}.* (\\d+)$`, 'gm')), ([, count]) =>
        Number(count),
      ).reduce((sum, count) => sum + count, 0);
    expect(sumOf('ai_tokens_total')).toBe(conversation.usage.totalTokens);
    expect(sumOf('ai_turns_total')).toBe(4);
  });
});

describe('9.5: judges', () => {
  const rubric = [{ name: 'Wit', description: 'Is it funny?' }];
  const judging = {
    agents: [local('Ada'), local('Ben')],
    maxTurns: 2,
    decision: { type: 'judge', judge: { provider: 'local' }, rubric },
    termination: { similarity: { threshold: 1, nudge: false } },
  };
  const scoring = (first: number, second: number) =>
    JSON.stringify({
      scores: [
        { agent: 'Participant 1', criterion: 'Wit', score: first, why: 'Participant 1 was fine.' },
        { agent: 'Participant 2', criterion: 'Wit', score: second, why: '' },
      ],
      summary: 'So it is.',
    });

  it('read the talk in both orders, and know nobody by name', async () => {
    const answers = [scoring(9, 4), scoring(5, 8)];
    const { conversation, prompts, log } = await scripted(
      (prompt) => (asks(prompt) ? (answers.shift() ?? '') : 'Ada and Ben.'),
      judging,
    );
    expect(conversation.outcome).toMatchObject({
      type: 'verdict',
      winner: 'Ada',
      totals: { Ada: 8.5, Ben: 4.5 },
      summary: 'So it is.',
    });
    expect(eventsOf(log, 'verdict.given')[0]?.scores[0]?.why).toBe('Ada was fine.');
    const seen = prompts.filter((prompt) => asks(prompt) === 'verdict');
    expect(seen).toHaveLength(2);
    for (const prompt of seen) expect(prompt).not.toMatch(/Ada|Ben/);
    expect(seen[0]).toContain('Participant 1: Participant 1 and Participant 2.');
    expect(seen[1]).toContain('Participant 2: Participant 2 and Participant 1.');
  });

  it('have no winner where the orders disagree, and no scores where they cannot be read', async () => {
    const disagreeing = [scoring(9, 4), scoring(9, 4)];
    const first = await scripted((prompt) => (asks(prompt) ? (disagreeing.shift() ?? '') : 'x'), judging);
    expect(first.conversation.outcome).toMatchObject({ winner: null, totals: { Ada: 6.5, Ben: 6.5 } });
    const second = await scripted((prompt) => (asks(prompt) ? 'I cannot say.' : 'x'), judging);
    expect(second.conversation).toMatchObject({
      outcome: { type: 'verdict', winner: null, scores: [] },
      termination: { reason: 'max_turns' },
    });
  });
});

describe('9.6: scenarios', () => {
  const FAST: Partial<ConversationRequest> = { topic: 'Should science be open by default?' };

  it.each(BUILT_IN_SCENARIOS.map(({ name }) => name))(
    '%s runs with the embedded pair to its end',
    async (name) => {
      const server = await startServer();
      const client = createClient({ baseUrl: server.url });
      const made = await client.createConversation({ topic: FAST.topic ?? '', scenario: name });
      const over = await ended(server.url, made.id);
      expect(over.status).toBe('terminated');
      expect(['completed', 'max_turns', 'phrase', 'condition', 'consensus', 'repetition']).toContain(
        over.termination?.reason,
      );
      const { decision } = over.settings;
      expect(over.outcome !== null).toBe(decision !== undefined);
      expect(over.settings.scenario).toBe(name);
    },
  );

  it('fills in what a request leaves out: names go wherever they stand, and null takes out', async () => {
    const server = await startServer();
    const client = createClient({ baseUrl: server.url });
    const made = await client.createConversation({
      topic: 'Cats or dogs?',
      scenario: 'debate',
      agents: [{ name: 'Cat' }],
      turnPolicy: { type: 'debate', sides: [['Cat'], ['Contra']], rounds: 0 },
      decision: null,
      termination: { minTurns: 3 },
    });
    expect(made.settings).toMatchObject({
      agents: [
        { name: 'Cat', provider: 'embedded', instructions: expect.stringContaining('for the motion') },
        { name: 'Contra' },
      ],
      turnPolicy: { type: 'debate', sides: [['Cat'], ['Contra']], rounds: 0 },
      termination: { phrases: [], minTurns: 3 },
      maxTurns: 8,
    });
    expect(made.settings).not.toHaveProperty('decision');
    expect(await ended(server.url, made.id)).toMatchObject({
      turns: 4,
      termination: { reason: 'completed' },
    });
  });

  it.each(['SQLite', 'Redis'])('keeps own ones on %s; built-in ones stay as they are', async (backend) => {
    const server = await startServer(backend === 'Redis' ? { REDIS_URL: redis.url } : {});
    const put = (name: string, body: object) =>
      call(server.url, `/scenarios/${name}`, { method: 'PUT', body });
    const own = { title: 'Short', description: 'Two turns.', settings: { maxTurns: 2 } };
    expect((await put('short', own)).status).toBe(201);
    expect(await put('short', own)).toMatchObject({ status: 200, body: { name: 'short', ...own } });
    expect((await put('debate', own)).status).toBe(409);
    const others = Array.from({ length: 199 }, (_, number) => `other-${number}`);
    for (const name of others) expect((await put(name, own)).status).toBe(201);
    expect(await put('one-too-many', own)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect((await put('short', own)).status).toBe(200);
    for (const name of others) {
      expect((await call(server.url, `/scenarios/${name}`, { method: 'DELETE' })).status).toBe(204);
    }
    expect((await put('Short!', own)).status).toBe(400);
    const wrong = { ...own, settings: { turnPolicy: { type: 'debate', sides: [['A'], ['B']] } } };
    expect(await put('wrong', wrong)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    const { body } = await call(server.url, '/scenarios');
    const names = (body as { items: { name: string }[] }).items.map(({ name }) => name);
    expect(names).toEqual([...BUILT_IN_SCENARIOS.map(({ name }) => name), 'short']);
    const made = await call(server.url, '/conversations', { body: { topic: 'x', scenario: 'short' } });
    expect(made).toMatchObject({ status: 201, body: { maxTurns: 2, settings: { scenario: 'short' } } });
    expect((await call(server.url, '/scenarios/short', { method: 'DELETE' })).status).toBe(204);
    expect((await call(server.url, '/scenarios/short', { method: 'DELETE' })).status).toBe(404);
    expect((await call(server.url, '/scenarios/debate', { method: 'DELETE' })).status).toBe(409);
    expect(
      (await call(server.url, '/conversations', { body: { topic: 'x', scenario: 'short' } })).status,
    ).toBe(400);
  });
});

describe('DESIGN 1 to 5', () => {
  it.each(['SQLite', 'Redis'])(
    '9.2: on %s, every scenario comes to its end, whatever is killed in the middle',
    async (backend) => {
      const folder = temporaryFolder();
      const environment = {
        EMBEDDED_TOKEN_DELAY_MS: '4',
        DATA_DIR: folder,
        ...(backend === 'Redis' ? { REDIS_URL: redis.url } : {}),
      };
      let server = await startServer(environment);
      const ids = await Promise.all(
        BUILT_IN_SCENARIOS.map(async ({ name }) => {
          const client = createClient({ baseUrl: server.url });
          return (await client.createConversation({ topic: 'Is tea better?', scenario: name, maxTurns: 12 }))
            .id;
        }),
      );
      for (let kill = 0; kill < 4; kill++) {
        const { url } = server;
        const sum = async (): Promise<number> => {
          const all = await Promise.all(ids.map((id) => createClient({ baseUrl: url }).getConversation(id)));
          return all.reduce((total, each) => total + each.lastSeq, 0);
        };
        const before = await sum();
        await expect.poll(sum, { timeout: 20_000, interval: 30 }).not.toBe(before);
        await server.stop('SIGKILL');
        server = await startServer(environment);
      }
      for (const id of ids) {
        const over = await ended(server.url, id);
        const log = await readLog(server.url, id);
        expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
        const turns = eventsOf(log, 'message').map(({ message }) => message.turn);
        expect(turns).toEqual(turns.map((_, index) => index));
        expect(over.turns).toBe(turns.length - 1);
        const voters: string[] = [];
        for (const event of log) {
          if (event.type === 'vote.closed') voters.length = 0;
          if (event.type !== 'ballot.cast') continue;
          expect(voters).not.toContain(event.agent);
          voters.push(event.agent);
        }
        expect(eventsOf(log, 'conversation.closing').length).toBeLessThanOrEqual(1);
        expect(eventsOf(log, 'verdict.given').length).toBeLessThanOrEqual(1);
        expect(log.at(-1)?.type).toBe('conversation.terminated');
      }
    },
  );
});
