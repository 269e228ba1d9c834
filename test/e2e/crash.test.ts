import { expect, it } from 'vitest';
import { Follower } from '../fixtures/follower.ts';
import { seededRandom } from '../fixtures/random.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

const KILLS = 30;
/** Many more than the lives between the kills take, also where a kill comes late. */
const TURNS = 200;

/** When to kill: so many messages and then so many other frames from the moment of watching on. */
interface Moment {
  messages: number;
  frames: number;
}

/** Watches until the moment has come, kills the server, and takes what had arrived until then. */
async function killAt(server: ServerProcess, id: string, moment: Moment, follower: Follower): Promise<void> {
  follower.connected();
  let { messages, frames } = moment;
  const knownSeq = follower.events.length;
  const { watch } = frames % 2 === 0 ? TRANSPORTS[0] : TRANSPORTS[1];
  const watcher = await watch(server.url, id, {
    after: follower.cursor,
    onFrame(frame) {
      follower.take(frame);
      const inTurn = frame.type.startsWith('turn.');
      if (messages > 0) {
        if (!inTurn && 'seq' in frame && frame.seq > Math.max(knownSeq, 2)) messages--;
      } else if (inTurn) frames--;
      if (messages <= 0 && frames <= 0) server.process.kill('SIGKILL');
    },
  });
  await watcher.closed;
  await server.stop('SIGKILL');
}

it(`3.2, 3.3: a conversation goes on, whole, after each of ${KILLS} kill -9`, async () => {
  const random = seededRandom(20_260_131);
  const environment = { DATA_DIR: temporaryFolder(), EMBEDDED_TOKEN_DELAY_MS: '8' };
  const follower = new Follower();
  let id: string | undefined;
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await startServer(environment);
    id ??= (await startTalk(server.url, { maxTurns: TURNS })).id;
    // Most kills come inside the first turn of a life, some right behind the commit of one.
    const messages = random() < 0.7 ? 0 : 1;
    const frames = messages === 1 && random() < 0.5 ? 0 : 1 + Math.floor(random() * 12);
    const durable = structuredClone(follower.events);
    expect((await readLog(server.url, id)).slice(0, durable.length)).toEqual(durable);
    await killAt(server, id, { messages, frames }, follower);
  }
  if (id === undefined) throw new Error('nothing was started');

  expect(follower.ended, 'the kills came before the end').toBe(false);
  const server = await startServer({ ...environment, EMBEDDED_TOKEN_DELAY_MS: '1' });
  expect(server.log.find(({ event }) => event === 'server.listening')?.['resumed']).toBe(1);
  follower.connected();
  const { closed } = await watchSocket(server.url, id, {
    after: follower.cursor,
    onFrame: (frame) => follower.take(frame),
  });
  expect(await closed).toBe(1000);

  const log = await readLog(server.url, id);
  expect(log).toEqual(follower.events);
  expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: TURNS + 3 }, (_, index) => index + 1));
  expect(turnsOf(log)).toEqual(Array.from({ length: TURNS + 1 }, (_, turn) => turn));
  expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'max_turns', by: 'system' });
  // Attempts of dead processes were heard, of which nothing is left.
  const kept = new Set(log.map((event) => (event.type === 'message' ? event.message.metadata.attempt : '')));
  const voided = [...follower.texts.keys()].filter((attempt) => !kept.has(attempt));
  expect(voided.length).toBeGreaterThan(KILLS / 10);
});
