import { describe, expect, it } from 'vitest';
import { LocalRunner } from '../../src/runner/local.ts';

/** A runner whose conversations end when the test says so. */
function stage(maxActive: number) {
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
    for (const id of ['a', 'b', 'c', 'd']) runner.start(id);
    expect([...ends.keys()]).toEqual(['a', 'b']);
    await end('b');
    expect([...ends.keys()]).toEqual(['a', 'b', 'c']);
    await end('a');
    expect(placed).toEqual(['a', 'b', 'c', 'd']);
    expect(runner.active()).toBe(2);
  });

  it('keeps a reserved place for whoever reserved it', async () => {
    const { runner, ends } = stage(1);
    const place = runner.reserve();
    expect(place).toBeDefined();
    expect(runner.reserve()).toBeUndefined();
    runner.start('late');
    expect([...ends.keys()]).toEqual([]);
    runner.start('early', place);
    expect([...ends.keys()]).toEqual(['early']);
    place?.release();
    expect(runner.active()).toBe(1);
  });

  it('gives a place that was given back to who waits', () => {
    const { runner, ends } = stage(1);
    const place = runner.reserve();
    runner.start('waiting');
    place?.release();
    expect([...ends.keys()]).toEqual(['waiting']);
  });

  it('starts a conversation once, and drains', async () => {
    const { runner, ends } = stage(3);
    runner.start('a');
    runner.start('a');
    expect(runner.active()).toBe(1);
    await runner.drain();
    expect(runner.active()).toBe(0);
    runner.start('b');
    expect([...ends.keys()]).toEqual(['a']);
  });
});
