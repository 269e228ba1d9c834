import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { fold } from '../../src/conversation/log/state.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import {
  PROVIDER_FAILURES,
  ProviderError,
  type ProviderFailure,
} from '../../src/conversation/turn/provider.ts';
import { retryDelayMs } from '../../src/conversation/turn/retry.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { LocalLive } from '../../src/live/local.ts';
import { createLanes } from '../../src/protection/lanes.ts';
import { DEFAULT_LANE_SETTINGS } from '../../src/protection/settings.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { agent, conversation, readLog, settings } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { type Act, finish, ScriptedProvider, text } from '../fixtures/providers.ts';
import { asked } from '../fixtures/storage.ts';

/** What one call does: an answer, a failure before or after some text, too little, or silence. */
type Call =
  | { kind: 'answers' | 'repeats' | 'empty' | 'cut' | 'silent' }
  | { kind: 'fails'; code: ProviderFailure; after: boolean };

const VOID = 'void text that nobody may find';
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'answers' as const }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'repeats' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'empty' as const }, { kind: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'silent' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('fails' as const),
      code: fc.constantFrom(...(Object.keys(PROVIDER_FAILURES) as ProviderFailure[])),
      after: fc.boolean(),
    }),
  },
);

function actsOf(played: Call, number: number): readonly Act[] {
  switch (played.kind) {
    case 'answers':
      return [text(`Answer ${number}: `), text(`w${number} x${number} y${number}`), finish()];
    case 'repeats':
      return [text('Bees are the most important animals of all.'), finish()];
    case 'empty':
      return [finish()];
    case 'cut':
      return [text(VOID)];
    case 'silent':
      return ['wait'];
    case 'fails': {
      const failure = new ProviderError(played.code, 'no');
      return played.after ? [text(VOID), failure] : [failure];
    }
  }
}

it('DESIGN 1 to 5: whatever vendors do and whenever runs are cut off, the log keeps its rules', async () => {
  const schedule = fc.record({
    calls: fc.array(call, { minLength: 1, maxLength: 30 }),
    fallbacks: fc.integer({ min: 0, max: 2 }),
    onCircuitOpen: fc.constantFrom(undefined, 'wait' as const, 'fallback' as const, 'end' as const),
    maxTurns: fc.integer({ min: 1, max: 12 }),
    cuts: fc.uniqueArray(
      fc.record({
        at: fc.integer({ min: 0, max: 12 }),
        by: fc.constantFrom('leave' as const, 'abort' as const),
      }),
      { maxLength: 3, selector: ({ at }) => at },
    ),
  });
  const ends = new Set<string>();
  await fc.assert(
    fc.asyncProperty(schedule, async ({ calls, fallbacks, onCircuitOpen, maxTurns, cuts }) => {
      const live = new LocalLive();
      const storage = asked(new MemoryStorage(live));
      const others = ['b', 'c'].slice(0, fallbacks).map((model) => ({ provider: 'scripted', model }));
      const agents = ['Ada', 'Ben'].map((name) =>
        agent(name, { provider: 'scripted', model: 'a', ...(fallbacks > 0 && { fallbacks: others }) }),
      );
      const made = conversation({
        settings: settings({ agents, maxTurns, ...(onCircuitOpen && { onCircuitOpen }) }),
        createdAt: new Date(),
      });
      await storage.create(made);
      let callsMade = 0;
      let drain = new Drain();
      const cutsLeft = new Map(cuts.map(({ at, by }) => [at, by]));
      const provider = new ScriptedProvider(() => {
        const number = callsMade++;
        const cut = cutsLeft.get(number);
        cutsLeft.delete(number);
        if (cut) drain[cut]();
        return actsOf(calls[number % calls.length] ?? { kind: 'answers' }, number);
      });
      const lanes = createLanes(
        () => ({ ...DEFAULT_LANE_SETTINGS, firstTokenMs: 5, circuit: { failures: 2, openMs: 2 } }),
        { onChange: () => {} },
      );
      const parts = orchestratorParts({
        log: storage.backend,
        live,
        bindModel: (id, model) => ({ provider, lane: lanes.lane(id, model), price: undefined }),
        retryDelayMs: (error, tries) =>
          retryDelayMs(error, tries, Math.random, { tries: 3, firstDelayMs: 1 }),
      });
      for (let run = 0; run <= cuts.length; run++) {
        drain = new Drain();
        await runConversation(parts, made.id, drain);
      }

      const log = (await readLog(storage, made.id)).map(({ json }) => readEvent(json));
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      const messages = log.flatMap((event) => (event.type === 'message' ? [event.message] : []));
      expect(messages.map(({ turn }) => turn)).toEqual(messages.map((_, index) => index));
      for (const { turn, sender } of messages.slice(1)) expect(sender).toBe(['Ben', 'Ada'][turn % 2]);
      expect(JSON.stringify(log)).not.toContain(VOID);
      const last = log.at(-1);
      expect(last?.type).toBe('conversation.terminated');
      expect(log.filter(({ type }) => type === 'conversation.terminated')).toHaveLength(1);
      expect(log.filter(({ type }) => type === 'conversation.nudged').length).toBeLessThanOrEqual(1);
      const record = await storage.get(made.id);
      expect(fold(undefined, log)).toMatchObject({ turns: record?.turns, usage: record?.usage });
      await vi.waitFor(() => expect(provider.open).toBe(0));
      if (last?.type === 'conversation.terminated') ends.add(last.reason);
    }),
    { numRuns: 200 },
  );
  // Or the schedules would show little.
  expect(ends.size).toBeGreaterThanOrEqual(3);
});
