import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { nameInTable } from '../../src/config/model-settings.ts';
import type { AttemptCall, LaneOptions } from '../../src/conversation/turn/lane.ts';
import { ProviderError } from '../../src/conversation/turn/provider.ts';
import { createLanes } from '../../src/protection/lanes.ts';
import { type LaneSettings, laneSettingsFor, pauseNameOf } from '../../src/protection/settings.ts';
import { laneOptions } from '../fixtures/protected-lane.ts';

const MINUTE = 60_000;
const ALIASES = ['m', 'm-latest', 'm-2026-01-31', 'another'];
const advance = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

type Extra = Parameters<typeof laneSettingsFor>[1];

/** The lanes of a process, and which models were called, in order. */
function stage(extra: Extra | ((model: string) => Extra) = {}) {
  const settings = (provider: string, model: string): LaneSettings =>
    laneSettingsFor(provider, typeof extra === 'function' ? extra(model) : extra);
  const lanes = createLanes(settings, { onChange: () => {} });
  const called: string[] = [];
  const call = (
    model: string,
    {
      provider = 'claude',
      name = model,
      ...options
    }: Partial<LaneOptions> & { provider?: string; name?: string } = {},
    attempt: (call: AttemptCall) => Promise<unknown> = () => Promise.resolve('said'),
  ) =>
    lanes
      .lane(provider, model)
      .run((made) => {
        called.push(name);
        return attempt(made);
      }, laneOptions(options))
      .catch((error: unknown) => error);
  return { lanes, called, call };
}

const takes = (milliseconds: number) => () => new Promise((resolve) => setTimeout(resolve, milliseconds));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('DESIGN 14: a limit of the account holds for all names that are called with its key', async () => {
  const { call, called } = stage({ requestsPerMinute: 1 });
  for (const alias of ALIASES) void call(alias);
  await advance(MINUTE - 1);
  expect(called).toEqual(['m']);
  await advance(2);
  expect(called).toEqual(['m', 'm-latest']);
  await advance(2 * MINUTE);
  expect(called).toEqual(ALIASES);
});

it('DESIGN 14: the account has so many places, whatever models are named', async () => {
  const { call, called, lanes } = stage({ maxConcurrentCalls: 2 });
  for (const alias of ALIASES) void call(alias, {}, takes(1000));
  await advance(0);
  expect(called).toEqual(['m', 'm-latest']);
  expect(lanes.loads().map(({ running, waiting }) => [running, waiting])).toEqual([
    [1, 0],
    [1, 0],
    [0, 1],
    [0, 1],
  ]);
  await advance(1000);
  expect(called).toEqual(ALIASES);
});

it('DESIGN 14: what is said of a model holds for all its versions together, besides what the account has', async () => {
  const table = { claude: {}, 'claude/m': {} };
  const { call, called } = stage((model) => {
    const name = nameInTable(table, 'claude', model);
    return { requestsPerMinute: 3, own: name === undefined ? undefined : { name, requestsPerMinute: 1 } };
  });
  for (const alias of [...ALIASES, 'others', 'mine']) void call(alias);
  await advance(1);
  expect(called).toEqual(['m', 'another', 'others']);
  await advance(20_000);
  expect(called).toEqual(['m', 'another', 'others', 'mine']);
  await advance(MINUTE);
  expect(called).toEqual(['m', 'another', 'others', 'mine', 'm-latest']);
});

it('DESIGN 14: a model has no more places than is said of it, and leaves the rest to others', async () => {
  const { call, called } = stage((model) => ({
    own: model.startsWith('m') ? { name: 'm', maxConcurrentCalls: 1 } : undefined,
  }));
  for (const alias of ALIASES) void call(alias, {}, takes(1000));
  await advance(0);
  expect(called).toEqual(['m', 'another']);
  await advance(1000);
  expect(called).toEqual(['m', 'another', 'm-latest']);
});

it('DESIGN 14: who waits is served by turns between tenants, in order within one', async () => {
  const { call, called } = stage({ maxConcurrentCalls: 1 });
  void call('m', { tenant: 'none', name: 'first' }, takes(10));
  for (const number of [1, 2, 3, 4])
    void call(`m${number % 2}`, { tenant: 'a', name: `a${number}` }, takes(10));
  for (const number of [1, 2]) void call('m', { tenant: 'b', name: `b${number}` }, takes(10));
  void call('m1', { tenant: 'c', name: 'c1' }, takes(10));
  await advance(100);
  expect(called).toEqual(['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
});

it('who leaves or is refused takes no turn, and leaves nothing behind', async () => {
  const { call, called, lanes } = stage({ maxConcurrentCalls: 1 });
  const leaver = new AbortController();
  void call('m', {}, takes(10));
  const left = call('m', { tenant: 'a', signal: leaver.signal });
  void call('m', { tenant: 'b', name: 'b' });
  leaver.abort(new Error('left'));
  expect(await left).toMatchObject({ message: 'left' });
  await advance(20);
  expect(called).toEqual(['m', 'b']);
  expect(lanes.loads()).toMatchObject([{ running: 0, waiting: 0 }]);
  expect(vi.getTimerCount()).toBe(0);
});

it('a model that is not well holds up no other', async () => {
  const { call, called } = stage({ circuit: { failures: 1, openMs: MINUTE }, requestsPerMinute: 100 });
  await call('broken', {}, () => Promise.reject(new ProviderError('server_error', 'no')));
  void call('broken', { name: 'waits' });
  void call('m');
  await advance(0);
  expect(called).toEqual(['broken', 'm']);
  await advance(MINUTE);
  expect(called).toEqual(['broken', 'm', 'waits']);
});

it('a pause that a vendor asks for holds for the model and its dated versions, or for the account', async () => {
  const limited = () => Promise.reject(new ProviderError('rate_limited', 'no', { retryAfterMs: 5000 }));
  for (const [provider, extra, during] of [
    ['claude', {}, ['m', 'another']],
    ['local', {}, ['m', 'another']],
    ['claude', { requestsPerMinute: 100 }, ['m']],
  ] as const) {
    const { call, called } = stage(extra);
    await call('m', { provider }, limited);
    for (const alias of ALIASES) void call(alias, { provider });
    await advance(4999);
    expect(called).toEqual(during);
    await advance(2);
    expect(called.toSorted()).toEqual(['m', ...ALIASES].toSorted());
  }
  expect(['gpt-x-2026-01-31', 'gpt-x-latest', 'gpt-x', 'gpt-x-mini'].map(pauseNameOf)).toEqual([
    'gpt-x',
    'gpt-x',
    'gpt-x',
    'gpt-x-mini',
  ]);
});

it('I: one server that does one call at a time serves sixteen who come at once', async () => {
  const { call } = stage();
  let busyUntil = Date.now();
  // It answers in the order of asking, ten seconds each, and doesn't notice who has left.
  const oneByOne = ({ signal }: AttemptCall) =>
    new Promise((resolve, reject) => {
      busyUntil = Math.max(busyUntil, Date.now()) + 10_000;
      const timer = setTimeout(() => resolve('said'), busyUntil - Date.now());
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
  let said = 0;
  const tries: number[] = [];
  const talk = async (): Promise<void> => {
    for (let tried = 1; ; tried++) {
      if ((await call('m', { provider: 'local' }, oneByOne)) === 'said') {
        said++;
        tries.push(tried);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  };
  for (let count = 0; count < 16; count++) void talk();
  await advance(15 * MINUTE);
  expect(said).toBe(16);
  expect(Math.max(...tries)).toBeLessThanOrEqual(4);
});
