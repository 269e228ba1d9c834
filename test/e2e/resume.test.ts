import { expect, it, onTestFinished } from 'vitest';
import type { StreamFrame } from '../../src/client/types.ts';
import { Follower, follow } from '../fixtures/follower.ts';
import { seededRandom } from '../fixtures/random.ts';
import { startServer } from '../fixtures/server.ts';
import { startSteppedVendor, type VendorCall } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

const CONVERSATIONS = 5;
const CLIENTS = 200;
const TURNS = 8;
const WORDS = 20;

/**
 * Has the agents say a word only when those before it have been heard and nobody is on the way back: however slow a
 * client is, it misses no turn by that.
 */
class Pace {
  #said = 0;
  /** Characters that were said and have not been heard yet. */
  #unheard = 0;
  #returning = 0;
  #over = false;
  readonly #waiting = new Set<() => void>();

  async answer(call: VendorCall): Promise<void> {
    for (let word = 0; word < WORDS; word++) {
      await this.#until(() => this.#returning === 0 && this.#unheard === 0);
      const text = `word-${this.#said++} `;
      this.#unheard += text.length;
      await call.say(text);
    }
    call.finish();
  }

  hear(frame: StreamFrame): void {
    if (frame.type === 'turn.delta') this.#unheard -= frame.text.length;
    this.#check();
  }

  leave(): void {
    this.#returning++;
  }

  back(): void {
    this.#returning--;
    this.#check();
  }

  /** Fulfilled when so many more words have been said, or the last one. */
  async words(count: number): Promise<void> {
    const enough = this.#said + count;
    await this.#until(() => this.#said >= enough || this.#over);
  }

  end(): void {
    this.#over = true;
    this.#check();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #check(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Watches to the end, and cuts its own connection every few frames. */
async function wander(
  url: string,
  id: string,
  random: () => number,
  pace: Pace,
): Promise<{ follower: Follower; cuts: number; inside: number; resumed: number }> {
  const follower = new Follower();
  const counts = { cuts: 0, inside: 0, resumed: 0 };
  /** The attempt in which it was cut, until more of it comes. */
  let left: string | undefined;
  pace.leave();
  for (let isAway = true; !follower.ended; ) {
    const wasAway = isAway;
    isAway = false;
    const { watch, ended } = random() < 0.5 ? TRANSPORTS[0] : TRANSPORTS[1];
    let more = 1 + Math.floor(random() * 60);
    follower.connected();
    const watcher = await watch(url, id, {
      after: follower.cursor,
      onFrame(frame, { cut }) {
        // What is still in the socket's buffer when it is cut was never had.
        if (more <= 0) return;
        follower.take(frame);
        if (frame.type === 'turn.delta' && frame.attempt === left) counts.resumed++;
        left = undefined;
        if (--more > 0 || follower.ended) return;
        counts.cuts++;
        if (frame.type === 'turn.started' || frame.type === 'turn.delta') {
          counts.inside++;
          left = frame.attempt;
        }
        isAway = true;
        pace.leave();
        cut();
      },
    });
    if (wasAway) pace.back();
    const how = await watcher.closed;
    if (follower.ended && how !== ended) throw new Error(`after the end it was closed by ${how}`);
    // Some come back at once, into the same attempt, others when it is over.
    if (isAway && random() < 0.3) {
      isAway = false;
      pace.back();
      await pace.words(random() * 2 * CONVERSATIONS * WORDS);
    }
  }
  return { follower, ...counts };
}

it(`4.1–4.3: ${CLIENTS} clients that come and go hear what one hears that stays`, async () => {
  const vendor = await startSteppedVendor();
  onTestFinished(() => vendor[Symbol.asyncDispose]());
  const server = await startServer(vendor.environment);
  const agents = [{ provider: 'local' }, { provider: 'local' }];
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(server.url, { topic: `Is the answer ${index}?`, agents, maxTurns: TURNS }),
    ),
  );
  const pace = new Pace();
  const onFrame = (frame: StreamFrame): void => pace.hear(frame);
  const staying = await Promise.all(talks.map(({ id }) => watchSocket(server.url, id, { onFrame })));
  void Promise.all(staying.map(({ closed }) => closed)).then(() => pace.end());
  const wanderers = Promise.all(
    Array.from({ length: CLIENTS }, async (_, index) => {
      const { id } = talks[index % CONVERSATIONS] ?? { id: '' };
      return { id, ...(await wander(server.url, id, seededRandom(index), pace)) };
    }),
  );
  const talking = async (): Promise<void> => {
    for (let turn = 0; turn < CONVERSATIONS * TURNS; turn++) void pace.answer(await vendor.nextCall());
  };
  void talking();
  const wandering = await wanderers;

  const stayed = new Map<string, Follower>();
  for (const [index, { frames, closed }] of staying.entries()) {
    expect(await closed).toBe(1000);
    const follower = follow(frames);
    const { id } = talks[index] ?? { id: '' };
    expect(follower.events).toEqual(await readLog(server.url, id));
    expect(turnsOf(follower.events)).toEqual(Array.from({ length: TURNS + 1 }, (__, turn) => turn));
    stayed.set(id, follower);
  }
  for (const { id, follower } of wandering) {
    const reference = stayed.get(id);
    expect(follower.events).toEqual(reference?.events);
    for (const [attempt, text] of follower.texts) {
      expect(reference?.texts.get(attempt)?.startsWith(text)).toBe(true);
    }
  }
  // The test is about something: clients did come back in the middle of turns, and heard the rest.
  const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
  expect(sum(wandering.map(({ cuts }) => cuts))).toBeGreaterThan(1.5 * CLIENTS);
  expect(sum(wandering.map(({ inside }) => inside))).toBeGreaterThan(CLIENTS);
  expect(sum(wandering.map(({ resumed }) => resumed))).toBeGreaterThan(CLIENTS);
});
