import { expect, it } from 'vitest';
import { SteppedFleet } from '../fixtures/fleet.ts';
import { follow } from '../fixtures/follower.ts';
import type { VendorCall } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const STEPPED = { agents: [{ provider: 'local' }, { provider: 'local' }], maxTurns: 3 };

async function answer(call: VendorCall, text: string): Promise<void> {
  await call.say(text);
  call.finish();
}

it('3.3: a worker that stood still appends nothing over its successor, and gives its run up', async () => {
  const fleet = await SteppedFleet.start(2);
  const url = fleet.instances[0]?.url ?? '';
  const { id } = await startTalk(url, STEPPED);
  const { by: stalled, others, call } = await fleet.nextCall();
  const [successor] = others;
  if (!successor) throw new Error('there is no other instance');
  const watcher = await watchSocket(successor.url, id);
  await call.say('Half of the ');
  await watcher.until(({ type }) => type === 'turn.delta');

  stalled.process.kill('SIGSTOP');
  const next = await fleet.nextCall();
  expect(next.by).toBe(successor);
  await answer(next.call, 'From the successor.');
  await watcher.until((frame) => frame.type === 'message' && frame.message.turn === 1);
  // Its whole answer waits for it as it wakes: all that it lacks is the append.
  await answer(call, 'old answer.');
  const second = await fleet.nextCall();
  stalled.process.kill('SIGCONT');
  await stalled.logged(({ event }) => event === 'conversation.run_failed' || event === 'redis.trouble');
  await answer(second.call, 'Again from the successor.');
  const third = await fleet.nextCall();
  expect(third.by).toBe(successor);
  await answer(third.call, 'And the end.');

  expect(await watcher.closed).toBe(1000);
  const { events } = follow(watcher.frames);
  expect(events).toEqual(await readLog(stalled.url, id));
  expect(turnsOf(events)).toEqual([0, 1, 2, 3]);
  const contents = events.flatMap((event) => (event.type === 'message' ? [event.message.content] : []));
  expect(contents.slice(1)).toEqual(['From the successor.', 'Again from the successor.', 'And the end.']);
});

it('3.3: a call that a worker still makes as it wakes is ended', async () => {
  const fleet = await SteppedFleet.start(2);
  const { id } = await startTalk(fleet.instances[0]?.url ?? '', STEPPED);
  const { by: stalled, call } = await fleet.nextCall();
  stalled.process.kill('SIGSTOP');
  const next = await fleet.nextCall();
  expect(next.by).not.toBe(stalled);
  const watcher = await watchSocket(next.by.url, id);
  await answer(next.call, 'From the successor.');
  await watcher.until((frame) => frame.type === 'message' && frame.message.turn === 1);
  stalled.process.kill('SIGCONT');
  await call.abandoned;
  for (const text of ['Again.', 'And the end.']) {
    const { by, call: following } = await fleet.nextCall();
    expect(by).toBe(next.by);
    await answer(following, text);
  }
  expect(await watcher.closed).toBe(1000);
  expect(turnsOf(await readLog(stalled.url, id))).toEqual([0, 1, 2, 3]);
});
