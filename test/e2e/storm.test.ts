import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { Conversation, ConversationRequest } from '../../src/client/types.ts';
import { metric } from '../fixtures/memory.ts';
import { seededRandom } from '../fixtures/random.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import {
  type Behaviour,
  fault,
  hang,
  type Script,
  startVendor,
  unlikeAnswers,
  type Vendor,
} from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const CONVERSATIONS = 500;
/** The share of a core that nobody spends who only waits. */
const BUSY = 0.02;
const AGENTS: ConversationRequest['agents'] = [{ provider: 'chatgpt' }, { provider: 'chatgpt' }];

async function stage(
  script: Script,
  environment: Record<string, string>,
): Promise<{ server: ServerProcess; vendor: Vendor }> {
  const vendor = await startVendor('openai', script);
  onTestFinished(vendor.close);
  const server = await startServer({
    OPENAI_BASE_URL: vendor.baseUrl,
    OPENAI_API_KEY: 'sk-test-0123456789abcdef0123456789',
    ...environment,
  });
  return { server, vendor };
}

const startMany = ({ url }: ServerProcess, extra: Partial<ConversationRequest>): Promise<Conversation[]> =>
  Promise.all(Array.from({ length: CONVERSATIONS }, () => startTalk(url, { agents: AGENTS, ...extra })));

it('500 conversations on a vendor that fails at random and takes 20 calls at once all come to an end', async () => {
  const random = seededRandom(30);
  const answered = unlikeAnswers();
  let open = 0;
  let tooMany = 0;
  const { server, vendor } = await stage(
    async (): Promise<Behaviour> => {
      if (open >= 20) {
        tooMany++;
        return fault('rate_limited');
      }
      open++;
      await delay(5);
      open--;
      return random() < 0.3 ? fault('server_error') : answered();
    },
    { RETRY_TRIES: '5', RETRY_FIRST_DELAY_MS: '50', CIRCUIT_OPEN_SECONDS: '0.3' },
  );
  const talks = await startMany(server, { maxTurns: 4, timeoutSeconds: 3600 });
  const ends = new Map<string, number>();
  let turns = 0;
  for (const { id } of talks) {
    const watcher = await watchSocket(server.url, id);
    await watcher.closed;
    const log = await readLog(server.url, id);
    const taken = turnsOf(log);
    expect(taken).toEqual(taken.map((_, turn) => turn));
    turns += taken.length - 1;
    const last = log.at(-1);
    const reason = last?.type === 'conversation.terminated' ? last.reason : 'none';
    ends.set(reason, (ends.get(reason) ?? 0) + 1);
  }
  const calls = vendor.requests.length;
  console.table({ ...Object.fromEntries(ends), turns, calls, 'too many at once': tooMany });
  for (const reason of ends.keys()) expect(['max_turns', 'provider_error', 'circuit_open']).toContain(reason);
  expect(calls).toBeLessThanOrEqual(1.6 * turns);
});

it('500 conversations that wait for an open circuit cost nothing', async () => {
  const { server, vendor } = await stage(fault('server_error'), {
    RETRY_TRIES: '5',
    RETRY_FIRST_DELAY_MS: '0',
    CIRCUIT_FAILURES: '1',
    CIRCUIT_OPEN_SECONDS: '3600',
  });
  await startMany(server, { timeoutSeconds: 86_400 });
  await server.logged(({ event }) => event === 'circuit.changed');
  const seconds = 5;
  /** Work done, not time passed: it is the same however busy the machine is. */
  const spent = async (): Promise<number> => {
    const before = await metric(server, 'process_cpu_seconds_total');
    await delay(seconds * 1000);
    return (await metric(server, 'process_cpu_seconds_total')) - before;
  };
  let cost = await spent();
  // What making them left to do is none of what waiting costs.
  for (let more = 0; more < 5 && cost / seconds >= BUSY; more++) cost = await spent();
  const calls = vendor.requests.length;
  cost = await spent();
  console.log(`${((100 * cost) / seconds).toFixed(2)} % of a core while ${CONVERSATIONS} wait`);
  expect(cost / seconds).toBeLessThan(BUSY);
  expect(vendor.requests.length).toBe(calls);
  expect(await metric(server, 'ai_active_conversations')).toBe(CONVERSATIONS);
});

it.each([
  ['a call', () => hang, {}, true],
  ['a back-off', () => fault('server_error'), { RETRY_FIRST_DELAY_MS: '60000' }, false],
  [
    'a wait for a circuit',
    () => fault('server_error'),
    { CIRCUIT_FAILURES: '1', RETRY_FIRST_DELAY_MS: '0' },
    false,
  ],
] as const)(
  'DESIGN 6: ending in the middle of %s is done at once',
  async (_, script, environment, isOpen) => {
    const { server, vendor } = await stage(script, { RETRY_TRIES: '5', ...environment });
    const took: number[] = [];
    for (let count = 1; count <= 5; count++) {
      const { id } = await startTalk(server.url, { agents: AGENTS });
      const watcher = await watchSocket(server.url, id);
      const request = await vendor.arrived(isOpen || count === 1 ? count : undefined);
      if (!isOpen) await server.logged(({ event }) => event === 'attempt.failed');
      const from = performance.now();
      const response = await fetch(`${server.url}/conversations/${id}/terminate`, { method: 'POST' });
      if (isOpen) await request.whenAborted;
      await watcher.closed;
      took.push(performance.now() - from);
      expect(await response.json()).toMatchObject({ status: 'terminated', termination: { reason: 'user' } });
    }
    console.log(`answered, closed and hung up within ${took.map(Math.ceil).join(', ')} ms`);
    // Whatever it was in the middle of would have taken a minute.
    expect(Math.min(...took)).toBeLessThan(20_000);
    expect(await metric(server, 'ai_active_conversations')).toBe(0);
  },
);
