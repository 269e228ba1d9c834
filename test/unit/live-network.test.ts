import { setImmediate as nextRound } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Follower } from '../fixtures/follower.ts';
import { CONVERSATION } from '../fixtures/frames.ts';
import { ScriptedConversation, ScriptedReader } from '../fixtures/scripted-conversation.ts';
import { ScriptedNetwork } from '../fixtures/scripted-network.ts';

const INSTANCES = 3;
const one = fc.integer({ min: 0, max: INSTANCES - 1 });
const step = <Type extends string>(type: Type) => fc.record({ type: fc.constant(type), one, other: one });

const steps = [
  { weight: 3, arbitrary: step('start') },
  { weight: 8, arbitrary: step('say') },
  { weight: 1, arbitrary: step('fail') },
  { weight: 2, arbitrary: step('commit') },
  { weight: 10, arbitrary: step('answer') },
  { weight: 16, arbitrary: step('hear') },
  { weight: 8, arbitrary: step('release') },
  { weight: 4, arbitrary: step('come') },
  { weight: 2, arbitrary: step('leave') },
] as const;
const losses = [
  { weight: 1, arbitrary: step('deafen') },
  { weight: 1, arbitrary: step('silence') },
  { weight: 1, arbitrary: step('move') },
] as const;
type Taken = {
  type: ReturnType<(typeof steps | typeof losses)[number]['arbitrary']['generate']>['value']['type'];
  one: number;
  other: number;
};

/** Three readers wander between three instances; all must hear the whole in the end. */
async function play(taken: readonly Taken[], { cluster, lossy }: { cluster: boolean; lossy: boolean }) {
  const network = new ScriptedNetwork(INSTANCES, CONVERSATION, cluster);
  const conversation = new ScriptedConversation(network);
  const readers = Array.from({ length: INSTANCES }, () => ({
    reader: new ScriptedReader(conversation, new Follower({ lossy })),
    at: 0,
  }));
  const instance = (index: number) => network.instances[index] as (typeof network.instances)[number];
  const arriveAll = async (): Promise<void> => {
    do await nextRound();
    while (network.arriveAll());
  };
  let said = 0;
  await arriveAll();

  const take = async ({ type, one, other }: Taken): Promise<void> => {
    const whose = readers[one] as (typeof readers)[number];
    switch (type) {
      case 'say':
        return conversation.say(`${said++}🙂`);
      case 'commit':
        conversation.commit();
        return conversation.announce();
      case 'answer':
        instance(one).publisher.arrive();
        return;
      case 'hear':
        instance(one).subscriber.arrive();
        return;
      case 'come':
        // Nobody gets from one instance to another before what the one said is heard by the other.
        if (other !== whose.at) await arriveAll();
        if (!whose.reader.watching) whose.at = other;
        return whose.reader.come(instance(whose.at).live);
      case 'leave':
        return whose.reader.leave();
      case 'deafen':
        return instance(one).subscriber.lose();
      case 'silence':
        return instance(one).publisher.lose();
      case 'move':
        conversation.abandon();
        void network.move(one);
        return await arriveAll();
      case 'release':
        return void (await conversation.release());
      case 'start':
      case 'fail':
        conversation[type]();
    }
  };
  for (const each of taken) {
    await take(each);
    await nextRound();
  }

  conversation.end();
  conversation.announce();
  for (let round = 0; round < 500; round++) {
    await arriveAll();
    for (const { reader } of readers) if (reader.failure !== undefined) throw reader.failure as Error;
    if (readers.every(({ reader }) => reader.follower.ended)) break;
    for (const { reader, at } of readers) if (!reader.follower.ended) reader.come(instance(at).live);
    while (await conversation.release());
  }
  const log = conversation.log.map(({ json }) => JSON.parse(json) as unknown);
  for (const { reader } of readers) expect(reader.follower.events).toEqual(log);
}

describe.each([
  { name: 'on one server', cluster: false },
  { name: 'on a cluster, where a publish counts none who hear it', cluster: true },
])('across instances $name', ({ cluster }) => {
  // On a cluster an attempt that is over before anybody answered its start is told by its message alone.
  it('4.1–4.3: whatever is how late, nothing is missed or repeated', async () => {
    const many = fc.array(fc.oneof(...steps), { maxLength: 120, size: 'max' });
    const property = fc.asyncProperty(many, (taken) => play(taken, { cluster, lossy: cluster }));
    expect(await fc.check(property, { numRuns: 1000 })).toMatchObject({ failed: false });
  });

  it('4.1–4.3: nor where connections are lost and the conversation moves', async () => {
    const many = fc.array(fc.oneof(...steps, ...losses), { maxLength: 120, size: 'max' });
    const property = fc.asyncProperty(many, (taken) => play(taken, { cluster, lossy: true }));
    expect(await fc.check(property, { numRuns: 1000 })).toMatchObject({ failed: false });
  });
});
