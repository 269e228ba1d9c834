import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type AttemptCall,
  CircuitOpenError,
  type CircuitState,
  type LaneOptions,
} from '../../src/conversation/turn/lane.ts';
import {
  PROVIDER_FAILURES,
  ProviderError,
  type ProviderFailure,
} from '../../src/conversation/turn/provider.ts';
import { retryDelayMs } from '../../src/conversation/turn/retry.ts';
import type { LocalLane } from '../../src/protection/lane.ts';
import { type CircuitChange, createLanes } from '../../src/protection/lanes.ts';
import { DEFAULT_LANE_SETTINGS, type LaneSettings } from '../../src/protection/settings.ts';
import { UNSHARED } from '../../src/protection/shared-protection.ts';
import { localLane } from '../fixtures/lane.ts';
import { seededRandom } from '../fixtures/random.ts';

const MINUTE = 60_000;
const OPENING = ['rate_limited', 'overloaded', 'server_error', 'timeout', 'network', 'malformed'];
const fail = (code: ProviderFailure, retryAfterMs?: number) => () =>
  Promise.reject(new ProviderError(code, 'no', { retryAfterMs }));
const pass = () => Promise.resolve('said');
const advance = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

let listeners = 0;
/** A signal that counts its listeners, all of which have to be gone in the end. */
function caller(): AbortController {
  const aborter = new AbortController();
  const { signal } = aborter;
  const held = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...call: Parameters<typeof add>) => {
    held.add(call[1]);
    listeners++;
    add(...call);
  };
  signal.removeEventListener = (...call: Parameters<typeof remove>) => {
    if (held.delete(call[1])) listeners--;
    remove(...call);
  };
  return aborter;
}

function options(extra: Partial<LaneOptions> = {}): LaneOptions {
  return {
    tenant: 'default',
    tokens: 100,
    whenOpen: 'wait',
    deadline: Infinity,
    signal: caller().signal,
    ...extra,
  };
}

function laneWith(extra: Partial<LaneSettings> = {}): { lane: LocalLane; states: CircuitState[] } {
  const states: CircuitState[] = [];
  return {
    lane: localLane({ ...DEFAULT_LANE_SETTINGS, ...extra }, UNSHARED, (_, to) => states.push(to)),
    states,
  };
}

async function opened(extra: Partial<LaneSettings> = {}) {
  const made = laneWith(extra);
  for (let count = 0; count < 5; count++) {
    await made.lane.run(fail('server_error'), options()).catch(() => undefined);
  }
  assert.equal(made.lane.circuit(), 'open');
  return made;
}

/** How a run stands: what it gave, why it failed, or `pending`. */
function watch<T>(run: Promise<T>): { now: () => unknown } {
  let outcome: unknown = 'pending';
  run.then(
    (value) => (outcome = value),
    (error: unknown) =>
      (outcome =
        error instanceof CircuitOpenError ? error.why : error instanceof ProviderError ? error.code : error),
  );
  return { now: () => outcome };
}

/** An attempt in the hands of the test. */
function held() {
  const calls: { call: AttemptCall; succeed: () => void; fail: (error: Error) => void }[] = [];
  const attempt = (call: AttemptCall): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    calls.push({ call, succeed: () => resolve('said'), fail: reject });
    return promise;
  };
  return { calls, attempt };
}

beforeEach(() => {
  vi.useFakeTimers();
  listeners = 0;
});
afterEach(() => {
  const left = { timers: vi.getTimerCount(), listeners };
  vi.useRealTimers();
  assert.deepEqual(left, { timers: 0, listeners: 0 });
});

describe('the circuit', () => {
  it('opens after 5 failures in a row, lets one probe through a minute later, and closes by it', async () => {
    const { lane, states } = await opened();
    const { attempt, calls } = held();
    const waiting = watch(lane.run(attempt, options()));
    await advance(MINUTE - 1);
    expect(calls).toHaveLength(0);
    await advance(1);
    expect(calls).toHaveLength(1);
    expect(lane.circuit()).toBe('half_open');
    calls[0]?.succeed();
    await advance(0);
    expect(waiting.now()).toBe('said');
    expect(states).toEqual(['open', 'half_open', 'closed']);
  });

  it('stays closed while a success comes in between', async () => {
    const { lane } = laneWith();
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 4; count++)
        await lane.run(fail('network'), options()).catch(() => undefined);
      await lane.run(pass, options());
    }
    expect(lane.circuit()).toBe('closed');
  });

  it.each(Object.keys(PROVIDER_FAILURES) as ProviderFailure[])(
    'knows whether %s speaks of its health',
    async (code) => {
      const { lane } = laneWith();
      for (let count = 0; count < 5; count++) await lane.run(fail(code), options()).catch(() => undefined);
      expect(lane.circuit()).toBe(OPENING.includes(code) ? 'open' : 'closed');
      await advance(MINUTE);
    },
  );

  it('takes no ending of ours and no fault of ours for a failure', async () => {
    const { lane } = laneWith();
    for (let count = 0; count < 6; count++) {
      const aborter = caller();
      const run = watch(lane.run(held().attempt, options({ signal: aborter.signal })));
      aborter.abort(new Error('ended'));
      await lane.run(() => Promise.reject(new TypeError('ours')), options()).catch(() => undefined);
      expect(run.now()).toEqual(new Error('ended'));
    }
    expect(lane.circuit()).toBe('closed');
  });

  it('makes one probe a window for 500 who wait, in order, and wakes all when it closes', async () => {
    const { lane } = await opened();
    let isDown = true;
    let calls = 0;
    const order: number[] = [];
    const runs = Array.from({ length: 500 }, (_, index) =>
      watch(
        lane.run(async () => {
          calls++;
          order.push(index);
          if (isDown) throw new ProviderError('overloaded', 'down');
          return await pass();
        }, options()),
      ),
    );
    expect(vi.getTimerCount()).toBe(1);
    await advance(MINUTE - 1);
    expect(calls).toBe(0);
    await advance(1);
    expect(calls).toBe(1);
    expect(vi.getTimerCount()).toBe(1);
    await advance(MINUTE);
    expect(calls).toBe(2);
    isDown = false;
    await advance(MINUTE);
    expect(calls).toBe(500);
    expect(order).toEqual(Array.from({ length: 500 }, (_, index) => index));
    expect(runs.filter(({ now }) => now() === 'said')).toHaveLength(498);
  });

  it('refuses who waited through 3 failed probes, and nobody before', async () => {
    const { lane } = await opened();
    const probers = [1, 2, 3].map(() => watch(lane.run(fail('server_error'), options())));
    const waiting = watch(lane.run(pass, options()));
    await advance(2 * MINUTE);
    expect(waiting.now()).toBe('pending');
    await advance(MINUTE);
    expect(probers.map(({ now }) => now())).toEqual(Array(3).fill('server_error'));
    expect(waiting.now()).toBe('probes');
    await advance(MINUTE);
  });

  it('refuses who has another way, at once, also who waits for a place, but has them probe when it is due', async () => {
    const { lane } = laneWith({
      places: { initial: 1, maximum: 1 },
      circuit: { failures: 1, openMs: MINUTE },
    });
    const { attempt, calls } = held();
    const first = watch(lane.run(attempt, options()));
    const queued = watch(lane.run(pass, options({ whenOpen: 'refuse' })));
    await advance(0);
    calls[0]?.fail(new ProviderError('network', 'gone'));
    await advance(0);
    expect([first.now(), queued.now()]).toEqual(['network', 'open']);
    await expect(lane.run(pass, options({ whenOpen: 'refuse' }))).rejects.toThrow(CircuitOpenError);
    await advance(MINUTE);
    const probe = watch(lane.run(attempt, options({ whenOpen: 'refuse' })));
    await expect(lane.run(pass, options({ whenOpen: 'refuse' }))).rejects.toThrow(CircuitOpenError);
    calls[1]?.succeed();
    await advance(0);
    expect(probe.now()).toBe('said');
  });

  it('refuses a wait that would outlast the deadline: when asked, and when it opens again', async () => {
    const { lane } = await opened();
    const early = watch(lane.run(pass, options({ deadline: Date.now() + MINUTE - 1 })));
    const prober = watch(lane.run(fail('timeout'), options({ deadline: Date.now() + MINUTE })));
    const late = watch(lane.run(pass, options({ deadline: Date.now() + 2 * MINUTE - 1 })));
    await advance(0);
    expect([early.now(), prober.now(), late.now()]).toEqual(['deadline', 'pending', 'pending']);
    await advance(MINUTE);
    expect([prober.now(), late.now()]).toEqual(['timeout', 'deadline']);
    await advance(MINUTE);
  });

  it('hands the probe on to one when its caller gives up', async () => {
    const { lane, states } = await opened();
    const { attempt, calls } = held();
    const aborter = caller();
    watch(lane.run(attempt, options({ signal: aborter.signal })));
    const others = [1, 2].map(() => watch(lane.run(attempt, options())));
    await advance(MINUTE);
    expect(calls).toHaveLength(1);
    aborter.abort(new Error('ended'));
    await advance(0);
    expect([calls.length, lane.circuit()]).toEqual([2, 'half_open']);
    calls[1]?.succeed();
    await advance(0);
    calls[2]?.succeed();
    await advance(0);
    expect(others.map(({ now }) => now())).toEqual(['said', 'said']);
    expect(states).toEqual(['open', 'half_open', 'closed']);
  });

  it('listens to the probe, not to calls from before the outage that fail late', async () => {
    const { lane } = laneWith({ firstTokenMs: 10 * MINUTE, totalMs: 10 * MINUTE });
    const { attempt, calls } = held();
    const late = watch(lane.run(attempt, options()));
    for (let count = 0; count < 5; count++) {
      await lane.run(fail('network'), options()).catch(() => undefined);
    }
    await advance(MINUTE);
    const probe = watch(lane.run(attempt, options()));
    await advance(0);
    calls[0]?.fail(new ProviderError('network', 'late'));
    await advance(0);
    expect([late.now(), lane.circuit()]).toEqual(['network', 'half_open']);
    calls[1]?.succeed();
    await advance(0);
    expect([probe.now(), lane.circuit()]).toEqual(['said', 'closed']);
  });
});

describe('an end from outside', () => {
  it.each(['circuit', 'place', 'rate', 'pause', 'call'])(
    'ends the wait for the %s at once',
    async (place) => {
      const { lane } =
        place === 'circuit'
          ? await opened()
          : laneWith({
              places: { initial: 1, maximum: 1 },
              requestsPerMinute: place === 'rate' ? 1 : undefined,
            });
      const { attempt, calls } = held();
      if (place === 'place') watch(lane.run(attempt, options()));
      if (place === 'rate') await lane.run(pass, options());
      if (place === 'pause') await lane.run(fail('rate_limited', 5000), options()).catch(() => undefined);
      const aborter = caller();
      const run = watch(lane.run(attempt, options({ signal: aborter.signal })));
      await advance(100);
      expect(run.now()).toBe('pending');
      aborter.abort(new Error('ended'));
      await Promise.resolve();
      await advance(0);
      expect(run.now()).toEqual(new Error('ended'));
      expect(lane.load.waiting).toBe(0);
      if (place === 'call') assert.equal(calls[0]?.call.signal.aborted, true);
      if (place === 'place') calls[0]?.succeed();
      await advance(place === 'circuit' ? MINUTE : 0);
      expect(lane.load.running).toBe(0);
    },
  );

  it('comes before everything else', async () => {
    const aborter = caller();
    aborter.abort(new Error('ended'));
    const attempt = vi.fn<typeof pass>(pass);
    await expect(laneWith().lane.run(attempt, options({ signal: aborter.signal }))).rejects.toThrow('ended');
    expect(attempt).not.toHaveBeenCalled();
  });
});

describe('the timeouts', () => {
  it.each([
    ['no first token', false, 60_000],
    ['no end', true, 120_000],
  ])('%s: fails as a timeout and aborts the call, heeded or not', async (_, hasFirstToken, milliseconds) => {
    const { lane } = laneWith();
    const { attempt, calls } = held();
    const run = watch(lane.run(attempt, options()));
    if (hasFirstToken) calls[0]?.call.firstToken();
    await advance(milliseconds - 1);
    expect([run.now(), calls[0]?.call.signal.aborted]).toEqual(['pending', false]);
    await advance(1);
    expect([run.now(), lane.load.running]).toEqual(['timeout', 0]);
    expect(calls[0]?.call.signal.reason).toMatchObject({ code: 'timeout' });
  });

  it('are one where the first token has as long as the whole', async () => {
    const { lane } = laneWith({ firstTokenMs: 9000, totalMs: 3000 });
    const { attempt, calls } = held();
    const run = watch(lane.run(attempt, options()));
    calls[0]?.call.firstToken();
    await advance(3000);
    expect(run.now()).toBe('timeout');
  });
});

describe('the places', () => {
  it('are given in the order of asking', async () => {
    const { lane } = laneWith({ places: { initial: 1, maximum: 1 } });
    const order: number[] = [];
    const run = (index: number) =>
      lane.run(async () => {
        order.push(index);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }, options());
    const runs = Promise.all([0, 1, 2, 3, 4].map(run));
    await advance(15);
    const last = run(5);
    await advance(100);
    await Promise.all([runs, last]);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('are halved once for all refusals of one round, and never below one', async () => {
    const { lane } = laneWith({
      places: { initial: 64, maximum: 64 },
      circuit: { failures: 999, openMs: 1 },
    });
    const storm = () =>
      Promise.allSettled(
        Array.from({ length: lane.load.places }, () => lane.run(fail('overloaded'), options())),
      );
    for (const places of [32, 16, 8, 4, 2, 1, 1]) {
      await storm();
      expect(lane.load.places).toBe(places);
    }
  });

  it('grow by use alone, and up to the maximum', async () => {
    const { lane } = laneWith({ places: { initial: 4, maximum: 8 } });
    for (let count = 0; count < 50; count++) await lane.run(pass, options());
    expect(lane.load.places).toBe(4);
    await Promise.all(Array.from({ length: 50 }, () => lane.run(pass, options())));
    expect(lane.load.places).toBe(8);
  });

  it('begin small again after an outage, and are soon where they were', async () => {
    const { lane } = laneWith({ places: { initial: 4, maximum: 64 } });
    const crowd = (attempt: () => Promise<string>) =>
      Promise.allSettled(
        Array.from({ length: 300 }, () => lane.run(attempt, options({ whenOpen: 'refuse' }))),
      );
    await crowd(pass);
    expect(lane.load.places).toBe(64);
    await crowd(fail('server_error'));
    await advance(MINUTE);
    await lane.run(pass, options());
    expect(lane.load.places).toBe(4);
    await crowd(pass);
    expect(lane.load.places).toBe(64);
  });

  it.each([
    ['always well', 0, 1.4],
    // Five failures in a row by chance close the lane for a minute now and then.
    ['failing 30 % at random', 0.3, 10],
  ])('find the limit of a vendor that takes 20 at once, %s: no storm', async (_, failing, slower) => {
    const { lane } = laneWith();
    const random = seededRandom(4);
    const TURNS = 10;
    let [running, calls, refused, exhausted, dismissed] = [0, 0, 0, 0, 0];
    const vendor = async (): Promise<void> => {
      calls++;
      if (running >= 20) {
        refused++;
        throw new ProviderError('rate_limited', 'too many');
      }
      running++;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      running--;
      if (random() < failing) throw new ProviderError('server_error', 'sometimes');
    };
    const takeTurn = async (): Promise<void> => {
      for (let tries = 1; ; tries++) {
        try {
          return await lane.run(vendor, options());
        } catch (error) {
          if (error instanceof CircuitOpenError) return void dismissed++;
          const delay = retryDelayMs(error as ProviderError, tries, random);
          if (delay === undefined) return void exhausted++;
          await new Promise((resolve) => setTimeout(resolve, delay));
        }
      }
    };
    const startedAt = Date.now();
    let finishedAt = 0;
    const all = Promise.all(
      Array.from({ length: 500 }, async () => {
        for (let turn = 0; turn < TURNS; turn++) await takeTurn();
        finishedAt = Date.now();
      }),
    );
    await vi.runAllTimersAsync();
    await all;
    const least = 500 * TURNS;
    const seconds = (finishedAt - startedAt) / 1000;
    expect(calls).toBeLessThanOrEqual(1.6 * least);
    expect(refused).toBeLessThan(0.01 * least);
    expect(exhausted).toBeLessThan(0.01 * least);
    // Who waited when three probes in a row failed by chance: once in many openings, but then all of them.
    expect(dismissed).toBeLessThan(0.05 * least);
    expect(seconds).toBeLessThan((least / 20) * slower);
  });
});

describe('a pause that the vendor asked for', () => {
  it('holds all, for as long as the longest asked, and then lets them in', async () => {
    const { lane } = laneWith();
    await lane.run(fail('rate_limited', 5000), options()).catch(() => undefined);
    await lane
      .run(fail('rate_limited', 1), options({ signal: caller().signal, deadline: 0 }))
      .catch(() => undefined);
    const runs = [1, 2, 3].map(() => watch(lane.run(pass, options())));
    const refuser = watch(lane.run(pass, options({ whenOpen: 'refuse' })));
    const hurried = watch(lane.run(pass, options({ deadline: Date.now() + 4000 })));
    await advance(4999);
    expect(runs.map(({ now }) => now())).toEqual(Array(3).fill('pending'));
    expect(hurried.now()).toBe('deadline');
    await advance(1);
    expect([...runs, refuser].map(({ now }) => now())).toEqual(Array(4).fill('said'));
  });

  it('of more than ten seconds turns away who has another way, also who waits already', async () => {
    const { lane } = laneWith({ places: { initial: 1, maximum: 1 } });
    const { attempt, calls } = held();
    watch(lane.run(attempt, options()));
    const queued = watch(lane.run(pass, options({ whenOpen: 'refuse' })));
    calls[0]?.fail(new ProviderError('rate_limited', 'later', { retryAfterMs: 10_500 }));
    await advance(0);
    const asking = watch(lane.run(pass, options({ whenOpen: 'refuse' })));
    await advance(0);
    expect([queued.now(), asking.now()]).toEqual(['paused', 'paused']);
  });

  it('is an hour at most', async () => {
    const { lane } = laneWith();
    await lane.run(fail('overloaded', 1e12), options()).catch(() => undefined);
    const run = watch(lane.run(pass, options()));
    await advance(60 * MINUTE - 1);
    expect(run.now()).toBe('pending');
    await advance(1);
    expect(run.now()).toBe('said');
  });
});

describe('the rate limit', () => {
  it('spreads requests over the minute, in order', async () => {
    const { lane } = laneWith({ requestsPerMinute: 6 });
    const times: number[] = [];
    const startedAt = Date.now();
    for (let count = 0; count < 9; count++) {
      void lane.run(async () => void times.push(Math.round((Date.now() - startedAt) / 1000)), options());
    }
    await advance(MINUTE);
    expect(times).toEqual([0, 0, 0, 0, 0, 0, 10, 20, 30]);
  });

  it('counts tokens, and takes one larger than the limit when all of it is there', async () => {
    const { lane } = laneWith({ tokensPerMinute: 600 });
    await lane.run(pass, options({ tokens: 600 }));
    const large = watch(lane.run(pass, options({ tokens: 5000 })));
    const small = watch(lane.run(pass, options({ tokens: 10 })));
    const hurried = watch(lane.run(pass, options({ tokens: 60, deadline: Date.now() + MINUTE + 5000 })));
    await advance(MINUTE - 1);
    expect([large.now(), small.now()]).toEqual(['pending', 'pending']);
    await advance(2);
    expect([large.now(), small.now()]).toEqual(['said', 'pending']);
    await advance(1001);
    expect([small.now(), hurried.now()]).toEqual(['said', 'deadline']);
  });

  it('lets nobody overtake a large one, and the next in at once when that gives up', async () => {
    const { lane } = laneWith({ tokensPerMinute: 600 });
    await lane.run(pass, options({ tokens: 600 }));
    const aborter = caller();
    watch(lane.run(pass, options({ tokens: 600, signal: aborter.signal })));
    const small = watch(lane.run(pass, options({ tokens: 10 })));
    await advance(2000);
    const later = watch(lane.run(pass, options({ tokens: 10 })));
    await advance(0);
    expect([small.now(), later.now()]).toEqual(['pending', 'pending']);
    aborter.abort(new Error('ended'));
    await advance(0);
    expect([small.now(), later.now()]).toEqual(['said', 'said']);
  });
});

describe('the lanes of a process', () => {
  const fragile: LaneSettings = { ...DEFAULT_LANE_SETTINGS, circuit: { failures: 1, openMs: MINUTE } };
  const breakOne = (lanes: ReturnType<typeof createLanes>, provider: string, model: string) =>
    lanes
      .lane(provider, model)
      .run(fail('network'), options())
      .catch(() => undefined);

  it('are one for each provider and model, and say when a circuit changes', async () => {
    const changes: CircuitChange[] = [];
    const lanes = createLanes(() => fragile, { onChange: (change) => changes.push(change) });
    expect(lanes.lane('claude', 'a')).toBe(lanes.lane('claude', 'a'));
    expect(lanes.circuitOf('claude')).toBe('closed');
    await breakOne(lanes, 'claude', 'b');
    expect([lanes.circuitOf('claude'), lanes.circuitOf('chatgpt')]).toEqual(['open', 'closed']);
    await advance(MINUTE / 2);
    await breakOne(lanes, 'claude', 'c');
    await advance(MINUTE / 2);
    expect([lanes.lane('claude', 'b').circuit(), lanes.circuitOf('claude')]).toEqual(['half_open', 'open']);
    await advance(MINUTE);
    expect(lanes.circuitOf('claude')).toBe('half_open');
    expect(changes[0]).toEqual({ provider: 'claude', model: 'b', from: 'closed', to: 'open' });
    expect(changes).toHaveLength(4);
  });

  it('are bounded: idle and closed ones go first, the longest unused before others, busy ones never', async () => {
    const lanes = createLanes(() => fragile, { onChange: () => undefined }, UNSHARED, 3);
    await breakOne(lanes, 'local', 'open');
    const { attempt, calls } = held();
    watch(lanes.lane('local', 'busy').run(attempt, options()));
    const [busy, old] = [lanes.lane('local', 'busy'), lanes.lane('local', 'old')];
    for (let count = 0; count < 2000; count++) lanes.lane('local', `made up ${count}`);
    expect(lanes.circuitOf('local')).toBe('open');
    expect(lanes.lane('local', 'busy')).toBe(busy);
    expect(lanes.lane('local', 'old')).not.toBe(old);
    const others = [1, 2].map((count) => watch(lanes.lane('local', `busy ${count}`).run(attempt, options())));
    expect(lanes.circuitOf('local')).toBe('closed');
    expect(vi.getTimerCount()).toBe(3);
    watch(lanes.lane('local', 'one more').run(attempt, options()));
    for (const call of calls) call.succeed();
    await advance(0);
    expect(others.map(({ now }) => now())).toEqual(['said', 'said']);
  });
});
