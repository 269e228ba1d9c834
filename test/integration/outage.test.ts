import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { type Provider, ProviderError } from '../../src/conversation/turn/provider.ts';
import { retryDelayMs } from '../../src/conversation/turn/retry.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { LocalLive } from '../../src/live/local.ts';
import { createLanes } from '../../src/protection/lanes.ts';
import { DEFAULT_LANE_SETTINGS } from '../../src/protection/settings.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { agent, conversation, START, settings } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { finish, text } from '../fixtures/providers.ts';
import { asked } from '../fixtures/storage.ts';

const CONVERSATIONS = 100;
const TURNS = 60;
const DOWN = { from: 1000, to: 91_000 };

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => vi.useRealTimers());

/** A wait on the clock of the test. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** A vendor that takes a tenth of a second for each answer, and fails at once while it is down. */
class FailingVendor implements Provider {
  readonly failedAt: number[] = [];
  #answers = 0;

  async *generate(_request: unknown, signal: AbortSignal): ReturnType<Provider['generate']> {
    const now = Date.now() - START.getTime();
    if (now >= DOWN.from && now < DOWN.to) {
      this.failedAt.push(now);
      throw new ProviderError('server_error', 'down', { status: 500 });
    }
    await pause(100, signal);
    const n = ++this.#answers;
    yield text(`Answer ${n}: w${n} x${n} y${n} z${n}`);
    yield finish();
  }
}

it('a vendor that is away for 90 s is waited for: one probe a window, and everybody comes to the end', async () => {
  const live = new LocalLive();
  const storage = asked(new MemoryStorage(live));
  const provider = new FailingVendor();
  const states: string[] = [];
  const lanes = createLanes(() => DEFAULT_LANE_SETTINGS, { onChange: ({ to }) => states.push(to) });
  const parts = orchestratorParts({
    log: storage.backend,
    live,
    bindModel: (id, model) => ({ provider, lane: lanes.lane(id, model), price: undefined }),
    retryDelayMs: (error, tries) => retryDelayMs(error, tries, Math.random),
    sleep: pause,
  });
  const agents = ['Ada', 'Ben'].map((name) => agent(name, { provider: 'down', model: 'm' }));
  const made = Array.from({ length: CONVERSATIONS }, () =>
    conversation({ settings: settings({ agents, maxTurns: TURNS }), createdAt: START }),
  );
  for (const each of made) await storage.create(each);
  const running = new Set(made.map(({ id }) => id));
  const runs = made.map(async ({ id }) => {
    await runConversation(parts, id, new Drain());
    running.delete(id);
  });
  while (running.size > 0 && Date.now() < START.getTime() + 1_800_000) await vi.advanceTimersByTimeAsync(500);
  await Promise.all(runs);

  for (const { id } of made) {
    expect(await storage.get(id)).toMatchObject({ turns: TURNS, ending: { reason: 'max_turns' } });
  }
  // All calls of the places that there were, up to the fifth failure; then one probe a minute.
  const { failedAt } = provider;
  const probes = failedAt.filter((at) => at > DOWN.from + 5000);
  expect(failedAt.length - probes.length).toBeLessThanOrEqual(DEFAULT_LANE_SETTINGS.places.maximum);
  expect(probes).toHaveLength(1);
  expect(states).toEqual(['open', 'half_open', 'open', 'half_open', 'closed']);
});
