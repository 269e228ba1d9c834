import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { estimateInput } from '../../src/conversation/policies/budget.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { type GenerateRequest, ProviderError } from '../../src/conversation/turn/provider.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { LocalLive } from '../../src/live/local.ts';
import { DIRECT_LANE } from '../../src/protection/direct.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { agent, conversation, settings } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { finish, ScriptedProvider, text } from '../fixtures/providers.ts';
import { asked } from '../fixtures/storage.ts';

const NAMES = ['Ada', 'Ben', 'Cyd', 'Dan', 'Eve', 'Fay', 'Gil', 'Hal'];
const PRICE = { input: 1, output: 5 };
const MOST_OUTPUT = 200;
const JUDGE: ConversationSettings['decision'] = {
  type: 'judge',
  judge: agent('Judge', { provider: 'scripted', model: 'a', maxOutputTokens: MOST_OUTPUT }),
  rubric: [{ name: 'clarity', description: 'is clear' }],
};

function verdictOf({ form }: GenerateRequest): string {
  const scores = (form?.options ?? []).map((each) => ({ agent: each, criterion: 'clarity', score: 5 }));
  return JSON.stringify({ scores, summary: 'so' });
}

/** In US dollars, as sums of floats go. */
const ROUNDING = 1e-9;

it('DESIGN 11: a panel of eight with a judge takes no more than its budget, failed calls too', async () => {
  const ends = new Set<string>();
  const schedule = fc.record({
    tokens: fc.option(fc.integer({ min: 1000, max: 20_000 }), { nil: undefined }),
    costUsd: fc.option(fc.double({ min: 0.001, max: 0.04, noNaN: true }), { nil: undefined }),
    failing: fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 6 }),
    rounds: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(schedule, async ({ tokens, costUsd, failing, rounds }) => {
      const live = new LocalLive();
      const storage = asked(new MemoryStorage(live));
      const made = conversation({
        settings: settings({
          agents: NAMES.map((name) =>
            agent(name, { provider: 'scripted', model: 'a', maxOutputTokens: MOST_OUTPUT }),
          ),
          maxTurns: 100,
          turnPolicy: { type: 'panel', rounds },
          decision: JUDGE,
          termination: {
            phrases: [],
            ...(tokens !== undefined && { maxTotalTokens: tokens }),
            ...(costUsd !== undefined && { maxCostUsd: costUsd }),
          },
        }),
        createdAt: new Date(),
      });
      await storage.create(made);
      let calls = 0;
      const provider = new ScriptedProvider((request) => {
        const number = calls++;
        const said = request.form ? verdictOf(request) : `${request.agent} says ${number}, at some length.`;
        const usage = { inputTokens: estimateInput(request), outputTokens: request.maxOutputTokens };
        if (failing.includes(number)) return [text(said), new ProviderError('overloaded', 'no')];
        return [text(said), finish({ usage })];
      });
      const parts = orchestratorParts({
        log: storage.backend,
        live,
        bindModel: () => ({ provider, lane: DIRECT_LANE, price: PRICE }),
        retryDelayMs: (_error, tries) => (tries < 3 ? 0 : undefined),
      });
      await runConversation(parts, made.id, new Drain());
      const record = await storage.get(made.id);
      expect(record?.status).toBe('terminated');
      expect(record?.usage.totalTokens).toBeLessThanOrEqual(tokens ?? Infinity);
      expect(record?.usage.costUsd).toBeLessThanOrEqual((costUsd ?? Infinity) + ROUNDING);
      ends.add(`${record?.ending?.reason} ${record?.outcome?.type ?? 'alone'}`);
    }),
    { numRuns: 150 },
  );
  // Or the schedules would show little.
  expect([...ends]).toEqual(
    expect.arrayContaining([
      'token_budget alone',
      'cost_budget alone',
      'completed verdict',
      'completed alone',
    ]),
  );
});
