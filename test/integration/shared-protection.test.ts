import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { RedisProtection } from '../../src/backends/redis-protection.ts';
import type { AttemptCall, Lane, LaneOptions } from '../../src/conversation/lane.ts';
import { ProviderError } from '../../src/conversation/provider.ts';
import { createLanes } from '../../src/providers/resilience/lanes.ts';
import { DEFAULT_LANE_SETTINGS } from '../../src/providers/resilience/settings.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { createRecord, type EventRecord } from '../fixtures/record.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: 'no' });
});
afterAll(() => redis.stop());

/** A window that a test sees the end of, and one that it doesn't, in milliseconds. */
const SHORT = 200;
const LONG = 600_000;

/** An instance's lane to one model, and what became of it: `open`, `half_open`, `closed`, `fallback`, `recovery`. */
interface Instance extends EventRecord {
  lane: Lane;
}

function instance(prefix: string, openMs: number, url = redis.url): Instance {
  const record = createRecord();
  const [client, subscriber] = [connect(url, () => {}), connect(url, () => {})];
  const hooks = { onFallback: () => record.note('fallback'), onRecovery: () => record.note('recovery') };
  const protection = new RedisProtection({ client, subscriber, prefix, origin: randomUUID(), hooks });
  onTestFinished(() => {
    protection.close();
    client.disconnect();
    subscriber.disconnect();
  });
  const settings = { ...DEFAULT_LANE_SETTINGS, circuit: { failures: 2, openMs } };
  const lanes = createLanes(() => settings, { onChange: ({ to }) => record.note(to) }, protection);
  return { lane: lanes.lane('claude', 'a model {of its own}'), ...record };
}

function options(extra: Partial<LaneOptions> = {}): LaneOptions {
  return { tokens: 1, whenOpen: 'wait', deadline: Infinity, signal: new AbortController().signal, ...extra };
}

const pass = () => Promise.resolve('said');
const fail = () => Promise.reject(new ProviderError('server_error', 'no'));

/** Has it open; a short window may be over by the time that this is told. */
async function breakIt({ lane, events }: Instance): Promise<void> {
  const before = events.length;
  for (let count = 0; count < 2; count++) await lane.run(fail, options()).catch(() => undefined);
  expect(events.slice(before)).toContain('open');
}

/** A vendor whose calls the test answers, and waits for. */
function vendor() {
  const calls: PromiseWithResolvers<string>[] = [];
  const record = createRecord();
  return {
    calls,
    attempt: ({ signal }: AttemptCall): Promise<string> => {
      const call = Promise.withResolvers<string>();
      signal.addEventListener('abort', () => call.reject(signal.reason));
      calls.push(call);
      record.note('call');
      return call.promise;
    },
    called: (times: number) => record.until(...Array<string>(times).fill('call')),
  };
}

const times = (count: number, event: string): string[] => Array<string>(count).fill(event);

it('a circuit that opens on one instance is open on all, one probes for all, and its success closes all', async () => {
  const prefix = randomUUID();
  const [first, second] = [instance(prefix, SHORT), instance(prefix, SHORT)];
  await breakIt(first);
  await second.until('open');
  const { calls, attempt, called } = vendor();
  const runs = [first, second].flatMap(({ lane }) => times(5, '').map(() => lane.run(attempt, options())));
  const outcomes = Promise.allSettled(runs);
  for (const window of [1, 2]) {
    await Promise.all([
      called(window),
      ...[first, second].map(({ until }) => until(...times(window, 'half_open'))),
    ]);
    expect(calls).toHaveLength(window);
    calls[window - 1]?.reject(new ProviderError('server_error', 'still no'));
    await Promise.all([first, second].map(({ until }) => until(...times(window + 1, 'open'))));
  }
  await Promise.all([called(3), ...[first, second].map(({ until }) => until(...times(3, 'half_open')))]);
  // One for each window, whichever instance made it.
  expect(calls).toHaveLength(3);
  calls[2]?.resolve('said');
  await Promise.all([first, second].map(({ until }) => until('closed')));
  await called(10);
  for (const call of calls) call.resolve('said');
  expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
  for (const { events } of [first, second]) {
    expect(events).toEqual(['open', 'half_open', 'open', 'half_open', 'open', 'half_open', 'closed']);
  }
});

it('an instance that starts later knows what is open, and turns away who has another way', async () => {
  const prefix = randomUUID();
  const first = instance(prefix, LONG);
  const second = instance(prefix, LONG);
  await breakIt(first);
  await second.until('open');
  const late = instance(prefix, LONG);
  await late.until('open');
  await expect(late.lane.run(pass, options({ whenOpen: 'refuse' }))).rejects.toThrow('the circuit is open');
  const soon = options({ deadline: Date.now() + LONG / 2 });
  await expect(late.lane.run(pass, soon)).rejects.toThrow('outlast');
});

it('who gives the probe up hands it on to another instance at once', async () => {
  const prefix = randomUUID();
  const [first, second] = [instance(prefix, SHORT), instance(prefix, SHORT)];
  await breakIt(first);
  await second.until('open');
  const { calls, attempt, called } = vendor();
  const aborter = new AbortController();
  const prober = first.lane
    .run(attempt, options({ signal: aborter.signal }))
    .catch((error: Error) => error.message);
  await Promise.all([called(1), second.until('half_open')]);
  // Who has another way doesn't wait for the probe of another instance.
  await expect(second.lane.run(pass, options({ whenOpen: 'refuse' }))).rejects.toThrow('the circuit is open');
  const heir = second.lane.run(attempt, options());
  aborter.abort(new Error('ended'));
  expect(await prober).toBe('ended');
  await called(2);
  calls[1]?.resolve('said');
  expect(await heir).toBe('said');
  await first.until('closed');
});

it('without Redis each goes on by itself and says so; when it is back, all share again', async () => {
  const own = await startRedis({ appendonly: 'no' });
  onTestFinished(own.stop);
  const prefix = randomUUID();
  const [first, second] = [instance(prefix, SHORT, own.url), instance(prefix, LONG, own.url)];
  await breakIt(first);
  await second.until('open');
  expect(await first.lane.run(pass, options())).toBe('said');
  await second.until('closed');

  await own.kill();
  await Promise.all([first, second].map(({ until }) => until('fallback')));
  await breakIt(first);
  expect(await first.lane.run(pass, options())).toBe('said');
  expect(first.lane.circuit()).toBe('closed');
  await breakIt(second);
  expect(first.events.filter((event) => event === 'open')).toHaveLength(2);

  await own.restart();
  await Promise.all([first, second].map(({ until }) => until('recovery')));
  // It missed the message, and is told again.
  await first.until('open', 'open', 'open');
  expect(second.lane.circuit()).toBe('open');
});
