import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ProviderError } from '../../src/conversation/turn/provider.ts';
import { RedisCircuit } from '../../src/protection/redis/circuit.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import {
  heldVendor,
  laneOptions,
  MODEL,
  PLACES,
  type ProtectedLane,
  protectedLane,
  protectedLanes,
} from '../fixtures/protected-lane.ts';
import { createRecord } from '../fixtures/record.ts';
import type { RedisServer } from '../fixtures/redis.ts';

/** A window that a test sees the end of, and one that it doesn't, in milliseconds. */
const SHORT = 200;
const LONG = 600_000;

const pass = () => Promise.resolve('said');
const fail = () => Promise.reject(new ProviderError('server_error', 'no'));
const opensOf = ({ events }: ProtectedLane): number => events.filter((event) => event === 'open').length;
const times = (count: number, event: string): string[] => Array<string>(count).fill(event);

/** Has it open; a short window may be over by the time that this is told. */
async function breakIt({ lane, events }: ProtectedLane): Promise<void> {
  const before = events.length;
  for (let count = 0; count < 2; count++) await lane.run(fail, laneOptions()).catch(() => undefined);
  expect(events.slice(before)).toContain('open');
}

describe.each(PLACES)('circuits on %s', (_, start) => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await start();
  });
  afterAll(() => redis.stop());

  const instance = (prefix: string, openMs: number, { url } = redis): Promise<ProtectedLane> =>
    protectedLane(url, prefix, { circuit: { failures: 2, openMs } });
  const pair = (prefix: string, openMs: number) =>
    Promise.all([instance(prefix, openMs), instance(prefix, openMs)]);

  /** An instance's end of a circuit, and what it heard: states, `answer` and `no answer`. */
  function circuitOf(prefix: string) {
    const record = createRecord();
    const client = connect(redis.url, () => {});
    onTestFinished(() => client.disconnect());
    const circuit = new RedisCircuit({
      client,
      prefix,
      origin: randomUUID(),
      name: 'a model',
      channel: `${prefix}:circuits`,
      namesKey: `${prefix}:circuits:open`,
      longestProbeMs: LONG,
      hear: ({ state }) => record.note(state),
      onAnswer: (isAnswered) => record.note(isAnswered ? 'answer' : 'no answer'),
      onLeave: () => {},
    });
    return { circuit, client, ...record };
  }

  it('2: an instance that has not called a model knows of its circuit, also one that starts later', async () => {
    const prefix = randomUUID();
    const bystander = () => protectedLanes(redis.url, prefix, { circuit: { failures: 2, openMs: LONG } });
    const [first, second] = await Promise.all([instance(prefix, LONG), bystander()]);
    await breakIt(first);
    for (const { lanes, until } of [second, await bystander()]) {
      await until('open');
      expect(lanes.circuitOf('claude')).toBe('open');
      expect(lanes.loads().map(({ provider, model }) => [provider, model])).toEqual([['claude', MODEL]]);
    }
  });

  it('a circuit that opens on one instance is open on all, one probes for all, and its success closes all', async () => {
    const prefix = randomUUID();
    const [first, second] = await pair(prefix, SHORT);
    await breakIt(first);
    await second.until('open');
    const { calls, attempt, called } = heldVendor();
    const runs = [first, second].flatMap(({ lane }) =>
      times(5, '').map(() => lane.run(attempt, laneOptions())),
    );
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
    const [first, second] = await pair(prefix, LONG);
    await breakIt(first);
    await second.until('open');
    const late = await instance(prefix, LONG);
    await late.until('open');
    await expect(late.lane.run(pass, laneOptions({ whenOpen: 'refuse' }))).rejects.toThrow(
      'the circuit is open',
    );
    const soon = laneOptions({ deadline: Date.now() + LONG / 2 });
    await expect(late.lane.run(pass, soon)).rejects.toThrow('outlast');
  });

  it('who gives the probe up hands it on to another instance at once', async () => {
    const prefix = randomUUID();
    const [first, second] = await pair(prefix, SHORT);
    await breakIt(first);
    await second.until('open');
    const { calls, attempt, called } = heldVendor();
    const aborter = new AbortController();
    const prober = first.lane
      .run(attempt, laneOptions({ signal: aborter.signal }))
      .catch((error: Error) => error.message);
    await Promise.all([called(1), second.until('half_open')]);
    // Who has another way doesn't wait for the probe of another instance.
    await expect(second.lane.run(pass, laneOptions({ whenOpen: 'refuse' }))).rejects.toThrow(
      'the circuit is open',
    );
    const heir = second.lane.run(attempt, laneOptions());
    aborter.abort(new Error('ended'));
    expect(await prober).toBe('ended');
    await called(2);
    calls[1]?.resolve('said');
    expect(await heir).toBe('said');
    await first.until('closed');
  });

  it('without Redis each goes on by itself and says so; when it is back, all share again', async () => {
    const own = await start();
    onTestFinished(own.stop);
    const prefix = randomUUID();
    const [first, second] = await Promise.all([instance(prefix, SHORT, own), instance(prefix, LONG, own)]);
    await breakIt(first);
    await second.until('open');
    expect(await first.lane.run(pass, laneOptions())).toBe('said');
    await second.until('closed');

    await own.kill();
    await Promise.all([first, second].map(({ until }) => until('circuit alone')));
    const opened = opensOf(first);
    await breakIt(first);
    expect(await first.lane.run(pass, laneOptions())).toBe('said');
    expect(first.lane.circuit()).toBe('closed');
    await breakIt(second);
    expect(opensOf(first)).toBe(opened + 1);

    await own.restart();
    await Promise.all([first, second].map(({ until }) => until('circuit shared')));
    // It missed the message, and is told again.
    await first.until(...times(opened + 2, 'open'));
    expect(second.lane.circuit()).toBe('open');
  });

  it('who could not tell of a closing hears, when it can, of an opening since', async () => {
    const prefix = randomUUID();
    const [mute, other] = [circuitOf(prefix), circuitOf(prefix)];
    await Promise.all([mute, other].map(({ circuit }) => circuit.catchUp()));
    mute.client.disconnect();
    mute.circuit.closed();
    await mute.until('no answer');
    other.circuit.opened(LONG);
    await other.until('answer', 'answer');
    await mute.client.connect();
    await mute.circuit.catchUp();
    expect(mute.events).toContain('open');
  });
});
