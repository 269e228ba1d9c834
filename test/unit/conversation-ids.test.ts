import * as fc from 'fast-check';
import { validate, version } from 'uuid';
import { expect, it } from 'vitest';
import { conversationIds } from '../../src/server/conversation-ids.ts';

it('1: an id is a UUIDv7 of its time, and no two are the same', () => {
  const at = Date.parse('2026-01-31T12:00:00.123Z');
  const next = conversationIds(() => at);
  const made = Array.from({ length: 1000 }, () => next());
  for (const { id, createdAt } of made) {
    expect(validate(id) && version(id)).toBe(7);
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(at);
    expect(createdAt).toEqual(new Date(at));
  }
  expect(new Set(made.map(({ id }) => id)).size).toBe(1000);
  // Who knows one must not guess another: what follows the count is random.
  expect(new Set(made.map(({ id }) => id.slice(-12))).size).toBe(1000);
});

it('1: an id is greater than all before it, whatever the clock does', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 2, maxLength: 400 }), (steps) => {
      let at = 1_800_000_000_000;
      const next = conversationIds(() => at);
      const ids = steps.map((step) => {
        at += step;
        return next().id;
      });
      expect(ids).toEqual([...ids].sort());
    }),
  );
});
