import { expect, it } from 'vitest';
import { follow } from '../fixtures/follower.ts';
import { metric, settledMemory, WITH_INSPECTOR } from '../fixtures/memory.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

const CONVERSATIONS = 100;
const WATCHED = 10;
const TURNS = 20;
const ROUNDS = 5;
const MEGABYTE = 1024 * 1024;

/** Has all conversations at once, and checks that each is whole and nothing but itself. */
async function round({ url }: ServerProcess, number: number): Promise<void> {
  await Promise.all(
    Array.from({ length: CONVERSATIONS }, async (_, index) => {
      const topic = `Is number ${number}-${index} lucky?`;
      const names = [`Ann ${number}-${index}`, `Bob ${number}-${index}`];
      const agents = names.map((name) => ({ provider: 'embedded', name }));
      const { id } = await startTalk(url, { topic, agents, maxTurns: TURNS });
      const { watch } = index % 2 === 0 ? TRANSPORTS[0] : TRANSPORTS[1];
      const watcher = index < WATCHED ? await watch(url, id) : undefined;
      await (watcher ?? (await watchSocket(url, id))).closed;

      const log = await readLog(url, id);
      expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'max_turns' });
      expect(turnsOf(log)).toEqual(Array.from({ length: TURNS + 1 }, (__, turn) => turn));
      expect(log[0]).toMatchObject({ settings: { topic, agents: names.map((name) => ({ name })) } });
      for (const event of log) {
        if (event.type !== 'message') continue;
        const { turn, sender, content } = event.message;
        expect(sender).toBe(turn === 0 ? 'Moderator' : names[(turn - 1) % 2]);
        // Whatever is said of a number or of somebody is said of this conversation's.
        for (const [said] of content.matchAll(/\d+-\d+/g)) expect(said).toBe(`${number}-${index}`);
      }
      if (!watcher) return;
      for (const { conversationId } of watcher.frames) expect(conversationId).toBe(id);
      expect(follow(watcher.frames).events).toEqual(log);
    }),
  );
}

it(`${CONVERSATIONS} conversations at once end whole, and leave nothing in memory`, async () => {
  const server = await startServer(WITH_INSPECTOR);
  await round(server, 0);
  await round(server, 1);
  const before = await settledMemory(server);
  for (let number = 2; number < ROUNDS; number++) await round(server, number);
  const after = await settledMemory(server);
  expect(await metric(server, 'ai_active_conversations')).toBe(0);
  // Three rounds say more than this.
  expect(after.heap - before.heap).toBeLessThan(1.5 * MEGABYTE);
  expect(after.resident - before.resident).toBeLessThan(60 * MEGABYTE);
});
