import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SteppedFleet } from '../fixtures/fleet.ts';
import { follow } from '../fixtures/follower.ts';
import type { ServerProcess } from '../fixtures/server.ts';
import type { VendorCall } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const STEPPED = { agents: [{ provider: 'local' }, { provider: 'local' }], maxTurns: 3 };
/** For so long by the clock the worker stands still, since this is what is said of it; in milliseconds. */
const STILL_MS = 60_000;
/** No call is to end because it takes so long. */
const PATIENT = { FIRST_TOKEN_TIMEOUT_SECONDS: '600', CALL_TIMEOUT_SECONDS: '600' };

interface Talk {
  id: string;
  call: VendorCall;
}

/** Two conversations in the middle of a call, both on the same of two instances. */
async function twoOnOne(fleet: SteppedFleet): Promise<{
  worker: ServerProcess;
  other: ServerProcess;
  talks: [Talk, Talk];
}> {
  const earlier = new Map<ServerProcess, Talk>();
  for (;;) {
    const { id } = await startTalk(fleet.instances[0]?.url ?? '', STEPPED);
    const { by: worker, others, call } = await fleet.nextCall();
    const first = earlier.get(worker);
    const [other] = others;
    if (first && other) return { worker, other, talks: [first, { id, call }] };
    earlier.set(worker, { id, call });
  }
}

async function answer(call: VendorCall, text: string): Promise<void> {
  await call.say(text);
  call.finish();
}

it('3.3: a worker that stood still for 60 s appends nothing over its successor, and ends the calls that it still makes', {
  timeout: 180_000,
}, async () => {
  const fleet = await SteppedFleet.start(2, PATIENT);
  const { worker, other, talks } = await twoOnOne(fleet);
  const [answered, open] = talks;
  const watchers = await Promise.all(talks.map(({ id }) => watchSocket(other.url, id)));
  const said: string[] = [];
  const nextCall = async (): Promise<VendorCall> => {
    const { by, call } = await fleet.nextCall();
    expect(by).toBe(other);
    return call;
  };
  const answerNext = async (call: VendorCall): Promise<void> => {
    said.push(`From the successor: ${said.length}.`);
    await answer(call, said.at(-1) ?? '');
  };
  for (const [index, { call }] of talks.entries()) {
    await call.say('Half of the ');
    await watchers[index]?.until(({ type }) => type === 'turn.delta');
  }

  worker.process.kill('SIGSTOP');
  const stoppedAt = performance.now();
  for (const call of [await nextCall(), await nextCall()]) await answerNext(call);
  for (const { until } of watchers)
    await until((frame) => frame.type === 'message' && frame.message.turn === 1);
  // One whole answer waits for the worker as it wakes: all that it lacks is the append.
  await answer(answered.call, 'old answer.');
  const seconds = [await nextCall(), await nextCall()];
  await delay(STILL_MS - (performance.now() - stoppedAt));
  worker.process.kill('SIGCONT');
  await worker.logged(({ event }) => event === 'conversation.run_failed' || event === 'redis.trouble');
  await open.call.abandoned;
  for (const call of seconds) await answerNext(call);
  for (const call of [await nextCall(), await nextCall()]) await answerNext(call);

  const contents: string[] = [];
  for (const [index, { id }] of talks.entries()) {
    const watcher = watchers[index];
    expect(await watcher?.closed).toBe(1000);
    const { events } = follow(watcher?.frames ?? []);
    for (const { url } of fleet.instances) expect(events).toEqual(await readLog(url, id));
    expect(turnsOf(events)).toEqual([0, 1, 2, 3]);
    contents.push(
      ...events.flatMap((event) =>
        event.type === 'message' && event.message.turn > 0 ? [event.message.content] : [],
      ),
    );
  }
  expect(contents.sort()).toEqual(said.sort());
});
