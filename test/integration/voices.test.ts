import { beforeAll, describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { follow } from '../fixtures/follower.ts';
import { call } from '../fixtures/http.ts';
import { readSamples } from '../fixtures/metrics.ts';
import { type ServerProcess, sharedByTests, startServer } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { eventsOf, readLog } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const { whenOver } = sharedByTests();
/** The server of all that need none of their own, and its vendor. */
let server: ServerProcess;
let client: Client;
let vendor: SteppedVendor;
beforeAll(async () => {
  vendor = await startSteppedVendor();
  whenOver(async () => await vendor[Symbol.asyncDispose]());
  server = await startServer(vendor.environment, whenOver);
  client = createClient({ baseUrl: server.url });
});

const local = (name: string) => ({ provider: 'local', name });

let talks = 0;

/** Starts a conversation whose calls have a model of its own, and so are told from those of others. */
async function begin(request: object) {
  const model = `talk-${++talks}`;
  const text = JSON.stringify({ topic: 'Tea or coffee?', ...request });
  const body: unknown = JSON.parse(text, (_, value: unknown) =>
    isLocal(value) ? { ...value, model } : value,
  );
  const before = await readSamples(server.url);
  const made = await call(server.url, '/conversations', { body: body as object });
  expect([made.status, made.text]).toEqual([201, expect.anything()]);
  const { id } = made.body as { id: string };
  /** What the server has counted since, over all samples whose names and labels are like this. */
  const counted = async (like: RegExp): Promise<number> =>
    sumOf(await readSamples(server.url), like) - sumOf(before, like);
  return { id, counted, nextCall: () => vendor.nextCall(model) };
}

const isLocal = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'provider' in value && value.provider === 'local';

const sumOf = (samples: Map<string, number>, like: RegExp): number =>
  [...samples].reduce((sum, [name, count]) => sum + (like.test(name) ? count : 0), 0);

/** A conversation whose models answer what a test says, to its end, and the prompts that they were sent. */
async function scripted(say: (prompt: string) => string, request: object) {
  const { id, counted, nextCall } = await begin(request);
  const prompts: string[] = [];
  const whole = ended(server.url, id);
  const answering = async (): Promise<never> => {
    for (;;) {
      const each = await nextCall();
      prompts.push(each.prompt);
      await each.say(say(each.prompt));
      each.finish();
    }
  };
  const conversation = await Promise.race([whole, answering()]);
  return { prompts, conversation, counted, log: await readLog(server.url, id) };
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
    const { id, nextCall } = await begin({
      agents: [local('Ada'), local('Ben'), local('Cyd')],
      turnPolicy: { type: 'panel', rounds: 2 },
    });
    const watcher = await watchSocket(server.url, id);
    for (let round = 0; round < 2; round++) {
      const calls = [await nextCall(), await nextCall(), await nextCall()];
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
    const { id, counted, nextCall } = await begin({
      agents: names.map(local),
      turnPolicy: { type: 'panel', rounds },
    });
    const watcher = await watchSocket(server.url, id);
    const callsOf = async (count: number) => {
      const calls = await Promise.all(Array.from({ length: count }, nextCall));
      return Object.fromEntries(calls.map((each) => [/You are (\w+),/.exec(each.prompt)?.[1] ?? '', each]));
    };
    const callsBy = (status: 'success' | 'error') =>
      counted(new RegExp(`^ai_api_calls_total.*status="${status}"`));
    return { id, watcher, callsOf, callsBy, log: () => readLog(server.url, id) };
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
    const { id, callsOf, callsBy, watcher, log } = await begun(['Ada', 'Ben']);
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
    const { id, callsOf, watcher } = await begun(['Ada', 'Ben'], 2);
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
    const { id, nextCall } = await begin({
      agents: [local('Ada'), local('Ben')],
      turnPolicy: { type: 'moderator', moderator: { provider: 'local', name: 'Chair' } },
      decision: { type: 'vote', method: 'plurality', options: ['tea', 'milk'], at: { everyRounds: 1 } },
      termination: { similarity: { threshold: 1, nudge: false } },
    });
    const watcher = await watchSocket(server.url, id);
    const heard = (type: string, times = 1) =>
      watcher.until(() => watcher.frames.filter((frame) => frame.type === type).length >= times);
    const next = async (says: string) => {
      const each = await nextCall();
      await each.say(says);
      each.finish();
    };
    const choice = await nextCall();
    await client.next(id, 'Ben');
    await choice.say('{"agent": "Ada"}');
    choice.finish();
    await next('Ben it is.');
    await next('{"agent": "Ada"}');
    await next('Ada, too.');
    const ballots = [await nextCall(), await nextCall()];
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
    const { conversation, log, counted } = await scripted(
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
    expect(await counted(/^ai_conversations_ended_total\{reason="consensus"\}/)).toBe(1);
    expect(await counted(/^ai_tokens_total/)).toBe(conversation.usage.totalTokens);
    expect(await counted(/^ai_turns_total/)).toBe(4);
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
