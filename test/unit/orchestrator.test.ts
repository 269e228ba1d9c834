import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Happening } from '../../src/conversation/happenings.ts';
import type { Lane } from '../../src/conversation/turn/lane.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { type GenerateRequest, ProviderError } from '../../src/conversation/turn/provider.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { AppError } from '../../src/errors.ts';
import { LocalLive } from '../../src/live/local.ts';
import { DIRECT_LANE } from '../../src/protection/direct.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { conversation, ENDED_BY_USER, readLog, reply, START, settings } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { type Act, finish, ScriptedProvider, text } from '../fixtures/providers.ts';
import { type Asked, asked } from '../fixtures/storage.ts';

type Script = (request: GenerateRequest) => readonly Act[] | string;

/** An answer that is unlike all others, and the same whenever it is asked for again. */
const distinct: Script = ({ seed, agent }) => {
  const turn = seed.split('.').at(-1);
  return [text(`${agent} says `), text(`in turn ${turn} the words w${turn} x${turn} y${turn}`), finish()];
};

/** The orchestrator on a queue in memory, with a provider that plays a script and the clock of the tests. */
async function stage(script: Script = distinct, extra: Parameters<typeof settings>[0] = {}) {
  const live = new LocalLive();
  const backend = new MemoryStorage(live);
  const storage = asked(backend);
  const made = conversation({ settings: settings({ maxTurns: 4, ...extra }) });
  await storage.create(made);
  const provider = new ScriptedProvider(script);
  const happenings: Happening[] = [];
  const drain = new Drain();
  const parts = orchestratorParts({
    log: backend,
    live,
    bindModel: () => ({ provider, lane: DIRECT_LANE, price: undefined }),
    elapsed: () => Date.now(),
    observe: (happening) => happenings.push(happening),
  });
  const { id } = made;
  return {
    id,
    live,
    backend,
    storage,
    provider,
    parts,
    drain,
    happened: (type: Happening['type']) => happenings.filter((happening) => happening.type === type),
    run: () => runConversation(parts, id, drain),
    log: async () => (await readLog(storage, id)).map(({ json }) => readEvent(json)),
    record: () => storage.get(id),
  };
}

/** Lets time pass until so many milliseconds after the start. */
async function advanceTo(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(START.getTime() + milliseconds - Date.now());
}

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('a conversation that runs to its end', () => {
  it('has its agents speak in order, and nothing follows its end', async () => {
    const { run, log, record, provider, happened } = await stage();
    await run();
    expect(await record()).toMatchObject({
      status: 'terminated',
      turns: 4,
      lastSeq: 7,
      ending: { reason: 'max_turns', by: 'system' },
    });
    const events = await log();
    expect(events.map(({ type }) => type).slice(2)).toEqual([
      ...Array<string>(4).fill('message'),
      'conversation.terminated',
    ]);
    expect(events.flatMap((event) => (event.type === 'message' ? [event.message] : []))).toMatchObject([
      { turn: 0, sender: 'Moderator' },
      { turn: 1, sender: 'Ada', metadata: { attempt: 'a-0', attempts: 1, provider: 'embedded' } },
      {
        turn: 2,
        sender: 'Ben',
        metadata: { attempt: 'a-1', attempts: 1, provider: 'claude', model: 'claude-x' },
      },
      { turn: 3, sender: 'Ada' },
      { turn: 4, sender: 'Ben' },
    ]);
    expect(provider.requests.map(({ agent }) => agent)).toEqual(['Ada', 'Ben', 'Ada', 'Ben']);
    expect(happened('turn.taken')).toHaveLength(4);
    expect(happened('conversation.ended')).toHaveLength(1);
    expect(happened('conversation.resumed')).toHaveLength(0);
    await run();
    expect(await log()).toEqual(events);
  });

  it('shows an agent the last messages and its own settings', async () => {
    const { run, provider } = await stage(distinct, { contextMessages: 2 });
    await run();
    expect(provider.requests[3]).toMatchObject({
      agent: 'Ben',
      model: 'claude-x',
      maxOutputTokens: 1024,
      messages: [
        { role: 'user', content: expect.stringMatching(/^Moderator: /) },
        { role: 'assistant', content: expect.stringMatching(/^Ben says/) },
        { role: 'user', content: expect.stringMatching(/^Ada: Ada says/) },
      ],
    });
  });

  it('appends the last message and the end in one append', async () => {
    const { run, backend } = await stage(() => 'We are [done].');
    const appends = vi.spyOn(backend, 'append');
    await run();
    expect(appends.mock.calls.map(([, , events]) => events.length)).toEqual([1, 2]);
  });

  it.each<[string, Script, string, string]>([
    [
      'a key that is wrong',
      () => [new ProviderError('authentication', 'no')],
      'configuration_error',
      'authentication',
    ],
    [
      'a server that fails',
      () => [text('x'), new ProviderError('server_error', 'boom')],
      'provider_error',
      'server_error',
    ],
    ['an answer that is empty', () => [finish()], 'provider_error', 'empty'],
    ['an answer that is cut off', () => [text('x')], 'provider_error', 'network'],
  ])('is ended by %s', async (_, script, reason, code) => {
    const { run, record, log, happened } = await stage(script);
    await run();
    expect(await record()).toMatchObject({
      turns: 0,
      ending: { reason, by: 'system', detail: expect.stringMatching(`^Ada \\(embedded\\): ${code}`) },
    });
    const types = (await log()).map(({ type }) => type);
    const isCharged = code !== 'authentication';
    expect(types.slice(2)).toEqual([...(isCharged ? ['attempt.spent'] : []), 'conversation.terminated']);
    expect(happened('attempt.failed')).toHaveLength(1);
    expect(happened('conversation.ended')).toHaveLength(1);
  });

  it('is ended where a provider has lost its configuration', async () => {
    const { parts, id, record, drain } = await stage();
    await runConversation({ ...parts, bindModel: () => undefined }, id, drain);
    expect(await record()).toMatchObject({
      ending: { reason: 'configuration_error', detail: 'embedded is not configured' },
    });
  });

  it('passes on what no provider should throw, and leaves the log as it was', async () => {
    const { run, log } = await stage(() => [new TypeError('a mistake')]);
    await expect(run()).rejects.toThrow('a mistake');
    expect(await log()).toHaveLength(2);
  });
});

describe('a conversation that others meddle with', () => {
  it('loses the race for a turn, reads on, and goes on with the next', async () => {
    const { run, backend, storage, id, record, log, provider, happened } = await stage();
    const append = backend.append.bind(backend);
    vi.spyOn(backend, 'append').mockImplementationOnce(async (...given) => {
      const first = reply(3, { sender: 'Ada', content: 'I was first.' });
      expect(await storage.addMessage(id, 2, [first])).toBe('appended');
      return append(...given);
    });
    await run();
    const turns = (await log()).flatMap((event) => (event.type === 'message' ? [event.message.turn] : []));
    expect(turns).toEqual([0, 1, 2, 3, 4]);
    expect((await storage.getContext(id, 10))[1]?.content).toBe('I was first.');
    expect(provider.requests).toHaveLength(4);
    expect(happened('turn.taken')).toHaveLength(3);
    expect((await record())?.ending?.reason).toBe('max_turns');
  });

  it.each<[string, (storage: Asked, id: string) => Promise<unknown>, number | undefined]>([
    ['ended', (storage, id) => storage.markTerminated(id, ENDED_BY_USER), 3],
    ['removed', (storage, id) => storage.delete(id), undefined],
  ])('stops the call in flight when it is %s', async (_, meddle, lastSeq) => {
    const { run, storage, id, provider, record, happened } = await stage(() => [text('Well, '), 'wait']);
    const running = run();
    await vi.waitFor(() => expect(provider.open).toBe(1));
    await meddle(storage, id);
    await running;
    expect(provider.open).toBe(0);
    expect((await record())?.lastSeq).toBe(lastSeq);
    expect(happened('attempt.abandoned')).toMatchObject([{ why: 'ended' }]);
    expect(happened('attempt.failed')).toEqual([]);
  });

  it('is ended by its time in the middle of a call', async () => {
    const { run, provider, record } = await stage(() => [text('Well, '), 'wait'], { timeoutSeconds: 60 });
    const running = run();
    await vi.waitFor(() => expect(provider.open).toBe(1));
    await advanceTo(59_999);
    expect(provider.open).toBe(1);
    await advanceTo(60_000);
    await running;
    expect(provider.open).toBe(0);
    expect(await record()).toMatchObject({ lastSeq: 3, ending: { reason: 'timeout' } });
  });

  it('is ended by its time though the timer is early by the clock', async () => {
    const { parts, id, drain, record, provider } = await stage(() => ['wait'], { timeoutSeconds: 60 });
    let lag = 0;
    const slow = { ...parts, now: () => new Date(Date.now() - lag) };
    const running = runConversation(slow, id, drain);
    await vi.waitFor(() => expect(provider.open).toBe(1));
    lag = 5;
    await advanceTo(60_000);
    await running;
    expect((await record())?.ending?.reason).toBe('timeout');
  });

  it('is ended before any call when its time was up while nobody ran it', async () => {
    const { run, provider, record } = await stage(distinct, { timeoutSeconds: 60 });
    vi.setSystemTime(START.getTime() + 60_000);
    await run();
    expect(provider.requests).toEqual([]);
    expect((await record())?.ending?.reason).toBe('timeout');
  });

  it('breaks off the call in flight when the run is aborted, and leaves the log as it is', async () => {
    const { run, provider, record, drain, happened } = await stage((request) =>
      request.agent === 'Ben' ? [text('Well, '), 'wait'] : distinct(request),
    );
    const running = run();
    await vi.waitFor(() => expect(provider.requests).toHaveLength(2));
    drain.abort();
    await running;
    expect(await record()).toMatchObject({ status: 'running', turns: 1, lastSeq: 3 });
    expect(happened('attempt.abandoned')).toMatchObject([{ why: 'drained' }]);
    await run();
    expect(provider.requests).toHaveLength(2);
    expect((await record())?.lastSeq).toBe(3);
  });

  it('fails with the storage, and the next run goes on', async () => {
    const { run, backend, record } = await stage();
    vi.spyOn(backend, 'append').mockRejectedValueOnce(new Error('disk full'));
    await expect(run()).rejects.toThrow('disk full');
    await run();
    expect(await record()).toMatchObject({ turns: 4, ending: { reason: 'max_turns' } });
  });

  it('is nothing to run where it is not there', async () => {
    const { parts, drain, provider } = await stage();
    await runConversation(parts, '01900000-0000-7000-8000-000000000000', drain);
    expect(provider.requests).toEqual([]);
  });
});

describe('a conversation that its run is asked to leave', () => {
  /** A stage on which the run is asked as the agent begins with what the script has. */
  async function leftInCall(script: Script, extra: Parameters<typeof settings>[0] = {}) {
    const scene = await stage((request) => {
      scene.drain.leave();
      return script(request);
    }, extra);
    return scene;
  }

  it('keeps the turn under way, although the storage is busy, and begins no other', async () => {
    const { run, backend, provider, record, happened } = await leftInCall(distinct);
    const append = vi.spyOn(backend, 'append');
    append.mockRejectedValueOnce(new AppError('overloaded', 'too busy'));
    const running = run();
    await vi.waitFor(() => expect(append).toHaveBeenCalledTimes(1));
    await advanceTo(1000);
    await running;
    expect(provider.requests).toHaveLength(1);
    expect(await record()).toMatchObject({ status: 'running', turns: 1, lastSeq: 3 });
    expect(happened('turn.taken')).toHaveLength(1);
    expect(happened('attempt.abandoned')).toEqual([]);
  });

  it('ends with the turn under way where that is its last', async () => {
    const { run, record } = await leftInCall(distinct, { maxTurns: 1 });
    await run();
    expect(await record()).toMatchObject({ turns: 1, ending: { reason: 'max_turns' } });
  });

  it('waits for the call until it is aborted', async () => {
    const { run, provider, record, drain, happened } = await leftInCall(() => [text('Well, '), 'wait']);
    const running = run();
    await vi.waitFor(() => expect(provider.open).toBe(1));
    await advanceTo(10_000);
    expect(provider.open).toBe(1);
    drain.abort();
    await running;
    expect(await record()).toMatchObject({ status: 'running', lastSeq: 2 });
    expect(happened('attempt.abandoned')).toMatchObject([{ why: 'drained' }]);
  });

  it('makes no second try of a turn', async () => {
    const { run, parts, provider, record, happened } = await leftInCall(() => [
      new ProviderError('server_error', 'boom'),
    ]);
    parts.retryDelayMs = () => 5000;
    await run();
    expect(provider.requests).toHaveLength(1);
    expect(await record()).toMatchObject({ status: 'running', lastSeq: 2 });
    expect(happened('attempt.failed')).toMatchObject([{ retryInMs: 5000 }]);
  });

  it('is left at once while it waits for the next try', async () => {
    const { run, parts, provider, drain, record } = await stage(() => [
      new ProviderError('server_error', 'boom'),
    ]);
    parts.retryDelayMs = () => 5000;
    const slept = vi.spyOn(parts, 'sleep');
    const running = run();
    await vi.waitFor(() => expect(slept).toHaveBeenCalled());
    drain.leave();
    await running;
    expect(provider.requests).toHaveLength(1);
    expect((await record())?.lastSeq).toBe(2);
  });

  it('is left at once while it waits for its lane, and before its log is read', async () => {
    const { run, parts, provider, drain, happened } = await stage();
    const waits = Promise.withResolvers<void>();
    const lane: Lane = {
      ...DIRECT_LANE,
      run: async (_attempt, { signal }) => {
        waits.resolve();
        return await delay(60_000, undefined as never, { signal });
      },
    };
    parts.bindModel = () => ({ provider, lane, price: undefined });
    const running = run();
    await waits.promise;
    drain.leave();
    await running;
    await run();
    expect(provider.requests).toEqual([]);
    expect(happened('attempt.started')).toEqual([]);
  });
});

describe('a conversation that is gone on with', () => {
  it('comes to the same log from wherever it was interrupted', async () => {
    const whole = await stage(distinct, { maxTurns: 5 });
    await whole.run();
    const log = await whole.log();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 5 }), async (turns) => {
        const { id, parts, storage, drain, happened } = await stage(distinct, { maxTurns: 5 });
        // The seed of an answer holds the id, so the copy has to have the same one.
        await storage.delete(id);
        await storage.create(conversation({ id: whole.id, settings: settings({ maxTurns: 5 }) }));
        for (const event of log.slice(2, 2 + turns)) {
          if (event.type !== 'message') continue;
          const end = log[event.seq];
          const last = end?.type === 'conversation.terminated' ? end : undefined;
          await storage.addMessage(whole.id, event.seq - 1, last ? [event, last] : [event]);
        }
        await runConversation(parts, whole.id, drain);
        const copy = (await readLog(storage, whole.id)).map(({ json }) => readEvent(json));
        const told = (events: typeof log) =>
          events.map((event) => (event.type === 'message' ? { ...event.message, metadata: {} } : event));
        expect(told(copy)).toEqual(told(log));
        expect(happened('conversation.resumed')).toHaveLength(turns > 0 && turns < 5 ? 1 : 0);
      }),
      { numRuns: 12 },
    );
  });
});
