import { expect, it } from 'vitest';
import { LocalDailyBudget } from '../../src/protection/daily-budget.ts';

const NOON = new Date('2026-03-01T12:00:00.000Z');

/** A ledger that says what was spent on the first day, and keeps what is noted. */
function ledger(spent: number) {
  const noted: [string, number][] = [];
  return {
    noted,
    spentOn: (day: string) => (day === '2026-03-01' ? spent : 0),
    noteSpending: async (day: string, usd: number) => void noted.push([day, usd]),
  };
}

it('sets aside the most that calls may cost, so that calls at once do not pass the limit together', async () => {
  const budget = new LocalDailyBudget(1, ledger(0.5), () => NOON);
  const first = await budget.reserve(0.4);
  await expect(budget.reserve(0.2)).rejects.toMatchObject({
    ending: { reason: 'cost_budget', detail: expect.stringContaining('0.9 of'), by: 'system' },
  });
  first.settle(0.1);
  expect(await budget.committed()).toBeCloseTo(0.6);
  await budget.reserve(0.2);
});

it('counts an unknown price as over the limit', async () => {
  const budget = new LocalDailyBudget(1, ledger(0), () => NOON);
  await expect(budget.reserve(undefined)).rejects.toThrow('price of the model is unknown');
});

it('begins anew at midnight UTC, and what began before counts no more', async () => {
  let now = NOON;
  const book = ledger(0.9);
  const budget = new LocalDailyBudget(1, book, () => now);
  const late = await budget.reserve(0.1);
  now = new Date('2026-03-02T00:00:00.000Z');
  const early = await budget.reserve(1);
  late.settle(0.1);
  early.settle(0.25);
  expect(book.noted).toEqual([
    ['2026-03-01', 0.1],
    ['2026-03-02', 0.25],
  ]);
  expect(await budget.committed()).toBeCloseTo(0.25);
});
