import { describe, expect, it } from 'vitest';
import { LocalRunner } from '../../src/runner/local.ts';
import { OWNER, UNLIMITED } from '../fixtures/owner.ts';

/** A runner whose conversations end when the test says so. */
function stage(maxActive: number, activeLimit?: number) {
  const ends = new Map<string, () => void>();
  const placed: string[] = [];
  const runner = new LocalRunner({
    run: (id, drain) =>
      new Promise<void>((resolve) => {
        ends.set(id, resolve);
        drain.tell({ leave: resolve, abort: resolve });
      }),
    giveUp: async () => {},
    onPlace: async (id) => void placed.push(id),
    onError: () => {},
    unfinished: async () => [],
    maxActive,
    ...UNLIMITED,
    activeLimitOf: () => activeLimit,
  });
  const end = async (id: string): Promise<void> => {
    ends.get(id)?.();
    await new Promise(setImmediate);
  };
  return { runner, ends, placed, end };
}

describe('the runner of one process', () => {
  it('runs as many as there are places, and the others in the order of their coming', async () => {
    const { runner, ends, placed, end } = stage(2);
    for (const id of ['a', 'b', 'c', 'd']) runner.start(id, OWNER);
    expect([...ends.keys()]).toEqual(['a', 'b']);
    await end('b');
    expect([...ends.keys()]).toEqual(['a', 'b', 'c']);
    await end('a');
    expect(placed).toEqual(['a', 'b', 'c', 'd']);
    expect(runner.active()).toBe(2);
  });

  it('keeps a reserved place for whoever reserved it', async () => {
    const { runner, ends } = stage(1);
    const place = runner.reserve(OWNER);
    expect(place).toBeDefined();
    expect(runner.reserve(OWNER)).toBeUndefined();
    runner.start('late', OWNER);
    expect([...ends.keys()]).toEqual([]);
    runner.start('early', OWNER, place);
    expect([...ends.keys()]).toEqual(['early']);
    place?.release();
    expect(runner.active()).toBe(1);
  });

  it('gives a place that was given back to who waits', () => {
    const { runner, ends } = stage(1);
    const place = runner.reserve(OWNER);
    runner.start('waiting', OWNER);
    place?.release();
    expect([...ends.keys()]).toEqual(['waiting']);
  });

  it('starts a conversation once, and drains', async () => {
    const { runner, ends } = stage(3);
    runner.start('a', OWNER);
    runner.start('a', OWNER);
    expect(runner.active()).toBe(1);
    await runner.drain();
    expect(runner.active()).toBe(0);
    runner.start('b', OWNER);
    expect([...ends.keys()]).toEqual(['a']);
  });
});

describe('8.8: between tenants', () => {
  const of = (tenant: string, key?: string) => ({ tenant, key });

  it('places are given out by turns: behind a thousand of one, who comes from another is next', async () => {
    const { runner, placed, end } = stage(1);
    runner.start('first', of('acme'));
    for (let count = 0; count < 1000; count++) runner.start(`acme-${count}`, of('acme'));
    runner.start('globex-0', of('globex'));
    runner.start('globex-1', of('globex'));
    for (const ended of ['first', 'globex-0', 'acme-0', 'globex-1', 'acme-1']) await end(ended);
    expect(placed).toEqual(['first', 'globex-0', 'acme-0', 'globex-1', 'acme-1', 'acme-2']);
  });

  it('who has a place kept for it had its turn', async () => {
    const { runner, placed, end } = stage(1);
    const place = runner.reserve(of('globex'));
    runner.start('kept', of('globex'), place);
    runner.start('globex', of('globex'));
    runner.start('acme', of('acme'));
    await end('kept');
    expect(placed).toEqual(['acme']);
  });
});

describe('8.8: activeConversations', () => {
  it('has the next of a key wait for one of its own, and nobody else', async () => {
    const { runner, placed, end } = stage(10, 2);
    const limited = { tenant: 'acme', key: 'limited' };
    for (const id of ['a', 'b', 'c', 'd']) runner.start(id, limited);
    expect(runner.reserve(limited)).toBeUndefined();
    const free = { tenant: 'acme', key: undefined };
    runner.start('e', free);
    expect(placed).toEqual(['a', 'b', 'e']);
    await end('e');
    expect(placed).toEqual(['a', 'b', 'e']);
    await end('a');
    expect(placed).toEqual(['a', 'b', 'e', 'c']);
    expect(await runner.depth()).toMatchObject({ waiting: 1, active: 2 });
  });
});
