import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Runner } from '../../src/runner/runner.ts';
import { OWNER } from '../fixtures/owner.ts';
import { type Stage, stage } from '../fixtures/stage.ts';

/** What every runner promises; `open` gives one of its own to each test. */
export function describeRunner(
  name: string,
  open: (
    parts: Stage['parts'] & { maxActive: number; activeLimitOf?: (key: string) => number | undefined },
  ) => Runner,
): void {
  describe(`runner: ${name}`, () => {
    it('runs what it is given, and counts it', async () => {
      const { parts, until, end } = stage();
      const runner = open({ ...parts, maxActive: 3 });
      runner.start('a', OWNER);
      runner.start('b', OWNER);
      await until('began a', 'began b');
      expect(runner.active()).toBe(2);
      end('a');
      await expect.poll(() => runner.active()).toBe(1);
    });

    it('starts a conversation once, however often it is told', async () => {
      const { parts, until, events } = stage();
      const runner = open({ ...parts, maxActive: 3 });
      runner.start('a', OWNER);
      runner.start('a', OWNER);
      await until('began a');
      runner.start('a', OWNER);
      runner.start('b', OWNER);
      await until('began b');
      expect(events.filter((event) => event === 'began a')).toHaveLength(1);
    });

    it('10.8: wakes what nobody runs, and what is just ending once more', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({ ...parts, maxActive: 3 });
      runner.wake('a', OWNER);
      await until('began a');
      runner.wake('a', OWNER);
      runner.wake('b', OWNER);
      await until('began b');
      end('a');
      await expect.poll(() => events.filter((event) => event === 'began a')).toHaveLength(2);
      end('a');
      await expect.poll(() => runner.active()).toBe(1);
      expect(events.filter((event) => event === 'began a')).toHaveLength(2);
    });

    it('10.8: loses no wake that comes as a run ends, however often', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({ ...parts, maxActive: 3 });
      runner.start('a', OWNER);
      for (let run = 1; run <= 20; run++) {
        await expect
          .poll(() => events.filter((event) => event === 'began a').length, { interval: 1 })
          .toBe(run);
        end('a');
        await delay(run % 5);
        runner.wake('a', OWNER);
      }
      await until('began a');
      await expect.poll(() => events.filter((event) => event === 'began a').length).toBe(21);
    });

    it('a log that refuses for good is not run again, only ended', async () => {
      const { parts, until, events, refuse } = stage();
      const runner = open({ ...parts, maxActive: 3 });
      runner.start('a', OWNER);
      await until('began a');
      refuse('a');
      await until('gave up a');
      await expect.poll(() => runner.active()).toBe(0);
      expect(events.filter((event) => event === 'began a')).toHaveLength(1);
    });

    it('has the others wait for a place in the order of their coming, and tells when they get it', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      for (const id of ['a', 'b', 'c']) runner.start(id, OWNER);
      await until('began a');
      expect(runner.reserve(OWNER)).toBeUndefined();
      end('a');
      await until('began b');
      expect(events.indexOf('placed b')).toBe(events.indexOf('began b') - 1);
      expect(events).not.toContain('began c');
      expect(runner.active()).toBe(1);
      end('b');
      await until('began c');
    });

    it('goes on after an error, in the same place', async () => {
      const { parts, until, fail, events } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('a', OWNER);
      runner.start('b', OWNER);
      await until('began a');
      fail('a');
      await until('failed a', 'began a', 'began a');
      expect(events).not.toContain('began b');
    });

    it('drains: has what runs leave, reports nothing, and begins nothing more', async () => {
      const { parts, until, events } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('a', OWNER);
      runner.start('b', OWNER);
      await until('began a');
      await runner.drain();
      expect(runner.active()).toBe(0);
      runner.start('c', OWNER);
      await runner.drain();
      expect(events.filter((event) => !event.startsWith('placed'))).toEqual(['began a', 'left a']);
    });

    it('leaves: lets a call under way end, and begins nothing more', async () => {
      const { parts, until, events, end, call } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('a', OWNER);
      runner.start('b', OWNER);
      await until('began a');
      call('a');
      runner.leave();
      runner.leave();
      await until('left a');
      expect(runner.active()).toBe(1);
      expect(runner.reserve(OWNER)).toBeUndefined();
      runner.start('c', OWNER);
      end('a');
      await runner.drain();
      expect(runner.active()).toBe(0);
      expect(events.filter((event) => !event.startsWith('placed'))).toEqual(['began a', 'left a']);
    });

    it('leaves: aborts a call that outlasts the grace', async () => {
      const { parts, until, events, call } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('a', OWNER);
      await until('began a');
      call('a');
      runner.leave();
      await until('aborted a');
      await runner.drain();
      expect(events.slice(-2)).toEqual(['left a', 'aborted a']);
    });

    it('drains also what waits for its next try', async () => {
      const { parts, until, fail } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('a', OWNER);
      await until('began a');
      fail('a');
      await until('failed a');
      await runner.drain();
      expect(runner.active()).toBe(0);
    });

    const of = (tenant: string, key?: string) => ({ tenant, key });

    it('8.8: places are given out by turns: behind a thousand of one tenant, who comes from another is next', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({ ...parts, maxActive: 1 });
      runner.start('first', of('acme'));
      await until('began first');
      for (let count = 0; count < 1000; count++) runner.start(`acme-${count}`, of('acme'));
      await expect.poll(async () => (await runner.depth()).waiting).toBe(1000);
      runner.start('globex-0', of('globex'));
      await expect.poll(async () => (await runner.depth()).waiting).toBe(1001);
      runner.start('globex-1', of('globex'));
      await expect.poll(async () => (await runner.depth()).waiting).toBe(1002);
      const expected = ['first', 'globex-0', 'acme-0', 'globex-1', 'acme-1', 'acme-2'];
      for (const [index, id] of expected.entries()) {
        await until(`began ${id}`);
        if (index + 1 < expected.length) end(id);
      }
      expect(events.filter((event) => event.startsWith('began'))).toEqual(
        expected.map((id) => `began ${id}`),
      );
    });

    it('8.8: activeConversations has the next of a key wait for one of its own, and nobody else', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({
        ...parts,
        maxActive: 10,
        activeLimitOf: (key) => (key === 'limited' ? 2 : undefined),
      });
      for (const id of ['a', 'b', 'c', 'd']) {
        runner.start(id, of('acme', 'limited'));
        // Calls that come at the same moment have no order.
        await expect
          .poll(async () => Object.values(await runner.depth()).reduce((sum, count) => sum + count, 0))
          .toBe(['a', 'b', 'c', 'd'].indexOf(id) + 1);
      }
      await until('began a', 'began b');
      runner.start('e', of('acme', 'other'));
      runner.start('f', of('acme'));
      await until('began e', 'began f');
      end('e');
      await expect.poll(() => runner.depth()).toEqual({ waiting: 2, active: 3, delayed: 0 });
      expect(events).not.toContain('began c');
      end('a');
      await until('began c');
      expect(events).not.toContain('began d');
      expect(events.indexOf('placed c')).toBe(events.indexOf('began c') - 1);
      await expect.poll(() => runner.depth()).toEqual({ waiting: 1, active: 3, delayed: 0 });
    });

    it('8.8, 10.8: who is woken while it waits for its key begins once, and who ends as it is woken keeps its turn', async () => {
      const { parts, until, events, end } = stage();
      const runner = open({ ...parts, maxActive: 10, activeLimitOf: () => 1 });
      const limited = of('acme', 'limited');
      runner.start('a', limited);
      await until('began a');
      runner.start('b', limited);
      await expect.poll(async () => (await runner.depth()).waiting).toBe(1);
      runner.wake('b', limited);
      runner.wake('a', limited);
      end('a');
      await until('began b');
      end('b');
      await until('began a', 'began a');
      expect(events.filter((event) => event === 'began b')).toHaveLength(1);
      end('a');
      await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });
  });
}
