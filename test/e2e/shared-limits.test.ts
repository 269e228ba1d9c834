import { expect, it, onTestFinished } from 'vitest';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { startTalk } from '../fixtures/talks.ts';
import { startVendor, unlikeAnswers } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const MINUTE = 60_000;
const LIMIT = 36;
const TALKS = 8;
const TURNS = 5;

it('6: instances on one Redis together call no more often a minute than MODEL_SETTINGS says', async () => {
  const redis = await redisOfTest();
  const calledAt: number[] = [];
  const say = unlikeAnswers();
  const vendor = await startVendor('openai', () => {
    calledAt.push(performance.now());
    return say();
  });
  onTestFinished(vendor.close);
  const instances = await startFleet(redis.url, 2, () => ({
    LOCAL_BASE_URL: vendor.baseUrl,
    LOCAL_MODEL: 'm',
    // Half of them on each, where alone there would be room for all of their turns at once.
    MAX_ACTIVE_CONVERSATIONS: String(TALKS / 2),
    MODEL_SETTINGS: JSON.stringify({ local: { requestsPerMinute: LIMIT, tokensPerMinute: 1_000_000 } }),
  }));
  const startedAt = performance.now();
  const request = { agents: [{ provider: 'local' }, { provider: 'local' }], maxTurns: TURNS };
  const talks = await Promise.all(
    Array.from({ length: TALKS }, async (_, index) => {
      const { url } = instances[index % 2] ?? { url: '' };
      return await watchSocket(url, (await startTalk(url, request)).id);
    }),
  );
  for (const { closed, frames } of talks) {
    await closed;
    expect(frames.at(-1)).toMatchObject({ reason: 'max_turns' });
  }
  expect(calledAt).toHaveLength(TALKS * TURNS);
  for (const [index, at] of calledAt.entries()) {
    // A full bucket, and what flowed in meanwhile.
    expect(index + 1).toBeLessThanOrEqual(LIMIT + ((at - startedAt) * LIMIT) / MINUTE);
  }
});
