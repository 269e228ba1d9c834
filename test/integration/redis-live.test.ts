import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { markOfEntry } from '../../src/conversation/log/mark.ts';
import { formatCursor } from '../../src/conversation/stream/cursor.ts';
import type { AttemptUnderWay } from '../../src/conversation/stream/frames.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { DIRECT_LANE } from '../../src/protection/direct.ts';
import { ENDED_BY_USER, ended, reply } from '../fixtures/conversations.ts';
import { SHARED_REDISES } from '../fixtures/fleet.ts';
import { Follower } from '../fixtures/follower.ts';
import { attemptAt, type Instance, Instances, Watching } from '../fixtures/instances.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { type Act, ScriptedProvider, text } from '../fixtures/providers.ts';

/** Begins to run a conversation, as far as the live side is told. */
async function runOn({ live }: Instance, id: string): Promise<{ stop: () => void }> {
  return await live.onStop(id, () => {});
}

async function commit({ log }: Instance, attempt: AttemptUnderWay, id: string): Promise<void> {
  const { id: name, afterSeq, agent, text: content } = attempt;
  const event = reply(afterSeq + 1, { sender: agent, content, metadata: { attempt: name } });
  expect(await log.addMessage(id, afterSeq, [event])).toBe('appended');
}

async function end({ log }: Instance, id: string): Promise<void> {
  expect(await log.markTerminated(id, ENDED_BY_USER)).toBe('appended');
}

/** Cuts the connection on which an instance listens, until it connects again. */
async function deafen({ subscriber }: Instance): Promise<void> {
  const closed = once(subscriber, 'close');
  subscriber.disconnect();
  await closed;
}

/** Has the orchestrator run a conversation on an instance. */
function run(instance: Instance, id: string, script: () => readonly Act[] | string) {
  const provider = new ScriptedProvider(script);
  let attempts = 0;
  const drain = new Drain();
  onTestFinished(() => drain.abort());
  const done = runConversation(
    orchestratorParts({
      log: instance.log,
      live: instance.live,
      bindModel: () => ({ provider, lane: DIRECT_LANE, price: undefined }),
      now: () => new Date('2026-01-31T12:00:01.000Z'),
      nameAttempt: () => `${instance.origin}-${attempts++}`,
    }),
    id,
    drain,
  );
  return { provider, done };
}

/** What is published from now on, as one hears who is not counted among those who listen. */
async function observe({ redis }: Instances) {
  const socket = connect(redis.nodes[0]?.port ?? 0, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write('MONITOR\r\n');
  const lines = createInterface(socket);
  const published: string[] = [];
  let marks = 0;
  const marked = new Map<string, () => void>();
  lines.on('line', (line) => {
    const [, command = '', rest = ''] = /^\S+ \[.*?\] "(\w+)" ?(.*)$/.exec(line) ?? [];
    if (command.toLowerCase() === 'ping') marked.get(rest)?.();
    const [, kind] = /\\"(entries|removed|started|snapshot|delta|failed|watch)\\":/.exec(rest) ?? [];
    if (command.toLowerCase() === 'publish') published.push(kind ?? rest);
  });
  await once(lines, 'line');
  return {
    /** The kinds of all that was published until now, with all that an instance has sent. */
    async kinds(by: Instance): Promise<string[]> {
      const mark = `mark-${++marks}`;
      const { promise, resolve } = Promise.withResolvers<void>();
      marked.set(`"${mark}"`, resolve);
      await by.publisher.ping(mark);
      await promise;
      return [...published];
    },
  };
}

describe.each(SHARED_REDISES)('on $on, watched on another instance than it runs on', ({ on, startRedis }) => {
  it('DESIGN 7: cursors inside a turn say which history they are of, on each', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const run = await runOn(here, id);
    const watching = [new Watching(here, id), new Watching(there, id)];
    await Promise.all(watching.map((one) => one.had(2)));
    const [last] = await here.log.readOn(id, 1, 1);
    const attempt = { ...attemptAt(1, 'a'), afterMark: last && markOfEntry(last) };
    here.live.started(id, attempt);
    here.live.said(id, attempt, 'Text');
    const late = new Watching(there, id);
    for (const one of [...watching, late]) {
      await one.heard('a', 'Text');
      expect(one.follower.cursor).toBe(formatCursor(id, 2, attempt.afterMark, 'a', 4));
      await one.leave();
    }
    run.stop();
  });

  it('4.1: every frame is the same, as it happens', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const run = await runOn(here, id);
    const near = new Watching(here, id);
    const far = [new Watching(there, id), new Watching(there, id)];
    await Promise.all([near, ...far].map((one) => one.had(2)));
    expect(await instances.listeners(id)).toBe(2);
    for (let turn = 1; turn <= 3; turn++) {
      const attempt = attemptAt(turn, `a-${turn}`);
      here.live.started(id, attempt);
      for (const piece of ['Grüße 👩‍🚀', ' and', ' so on']) {
        here.live.said(id, attempt, piece);
        for (const one of far) await one.heard(attempt.id, attempt.text);
      }
      if (turn === 2) {
        here.live.failed(id, attempt, { error: 'network: gone', retryInMs: 0 });
        const again = attemptAt(turn, 'a-2-again');
        here.live.started(id, again);
        here.live.said(id, again, 'Better.');
        for (const one of far) await one.heard(again.id, again.text);
        await commit(here, again, id);
      } else await commit(here, attempt, id);
    }
    await end(there, id);
    for (const one of [near, ...far]) expect(await one.end).toBe('ended');
    for (const one of far) expect(one.frames).toEqual(near.frames);
    run.stop();
    await expect.poll(() => instances.listeners(id)).toBe(0);
  });

  it('4.3: what was not yet told of an attempt when it was committed is told before the message', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    await runOn(here, id);
    const far = new Watching(there, id, new Follower({ lossy: on !== 'one server' }));
    await far.had(2);
    for (let turn = 1; turn <= 20; turn++) {
      const attempt = attemptAt(turn, `a-${turn}`);
      here.live.started(id, attempt);
      for (let count = 0; count < 10; count++) here.live.said(id, attempt, `piece ${count} 🙂 `);
      await commit(here, attempt, id);
    }
    await end(here, id);
    expect(await far.end).toBe('ended');
    // On a cluster an attempt that is over before anybody answered its start is told by its message alone.
    expect(far.follower.texts.size).toBeGreaterThanOrEqual(on === 'one server' ? 20 : 1);
  });

  it('4.1: who comes late gets the text so far, and then the rest', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there, elsewhere] = [instances.open(), instances.open(), instances.open()];
    const id = await instances.create();
    await runOn(here, id);
    const attempt = attemptAt(1, 'a-1');
    here.live.started(id, attempt);
    here.live.said(id, attempt, 'So far 🙂');
    const first = new Watching(there, id);
    await first.heard('a-1', 'So far 🙂');
    here.live.said(id, attempt, ', so good');
    await first.heard('a-1', 'So far 🙂, so good');
    const late = [new Watching(there, id), new Watching(elsewhere, id)];
    for (const one of late) await one.heard('a-1', 'So far 🙂, so good');
    here.live.said(id, attempt, '.');
    for (const one of [first, ...late]) await one.heard('a-1', attempt.text);
    await commit(here, attempt, id);
    await end(here, id);
    for (const one of [first, ...late]) expect(await one.end).toBe('ended');
    for (const one of late) {
      expect(one.frames.map(({ type }) => type)).toEqual([
        'conversation.created',
        'message',
        'turn.started',
        'turn.delta',
        'turn.delta',
        'message',
        'conversation.terminated',
      ]);
    }
  });

  it('4.2: who comes back inside a turn, to another instance each time, gets the rest', async () => {
    const instances = await Instances.start(startRedis);
    const three = [instances.open(), instances.open(), instances.open()];
    const [here] = three as [Instance];
    const id = await instances.create();
    await runOn(here, id);
    const follower = new Follower();
    let watching = new Watching(here, id, follower);
    const attempt = attemptAt(1, 'a-1');
    here.live.started(id, attempt);
    for (let count = 0; count < 12; count++) {
      here.live.said(id, attempt, `${count} 👩‍🚀 `);
      await watching.heard('a-1', attempt.text);
      await watching.leave();
      here.live.said(id, attempt, 'unheard ');
      watching = new Watching(three[count % 3] as Instance, id, follower);
      await watching.heard('a-1', attempt.text);
    }
    here.live.failed(id, attempt, { error: 'network: gone', retryInMs: 0 });
    await watching.until(({ frames }) => frames.at(-1)?.type === 'turn.failed');
    await watching.leave();
    watching = new Watching(three[1] as Instance, id, follower);
    const again = attemptAt(1, 'a-1-again');
    here.live.started(id, again);
    here.live.said(id, again, 'Better.');
    await watching.heard(again.id, again.text);
    await commit(here, again, id);
    await end(here, id);
    expect(await watching.end).toBe('ended');
  });

  it('4.2: an attempt whose instance died gives way to the one that another instance makes', async () => {
    const instances = await Instances.start(startRedis);
    const [dying, there, next] = [instances.open(), instances.open(), instances.open()];
    const id = await instances.create();
    await runOn(dying, id);
    const far = new Watching(there, id);
    const attempt = attemptAt(1, 'a-1');
    dying.live.started(id, attempt);
    dying.live.said(id, attempt, 'This is vo');
    await far.heard('a-1', 'This is vo');
    dying.die();

    const late = new Watching(there, id);
    await late.heard('a-1', 'This is vo');
    await runOn(next, id);
    const again = attemptAt(1, 'b-1');
    next.live.started(id, again);
    next.live.said(id, again, 'So it begins');
    for (const one of [far, late]) await one.heard('b-1', 'So it begins');
    await commit(next, again, id);
    await end(next, id);
    for (const one of [far, late]) expect(await one.end).toBe('ended');
  });

  it('4.2: nothing is told of an attempt that ended while nobody there watched', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const run = await runOn(there, id);
    await runOn(here, id);
    const attempt = attemptAt(1, 'a-1');
    here.live.started(id, attempt);
    const first = new Watching(there, id);
    here.live.said(id, attempt, 'To be forgotten');
    await first.heard('a-1', attempt.text);
    await first.leave();
    here.live.failed(id, attempt, { error: 'network: gone', retryInMs: 0 });
    const again = attemptAt(1, 'a-2');
    here.live.started(id, again);
    here.live.said(id, again, 'To be heard');
    await here.publisher.ping();
    // Behind all that was published before, on the connection on which it is heard.
    await there.subscriber.ping();
    run.stop();
    const second = new Watching(there, id);
    await second.heard('a-2', again.text);
    expect([...second.follower.texts.keys()]).toEqual(['a-2']);
  });

  it('4.2: while two instances run it, as one does whose lock ran out, each shows its own attempt', async () => {
    const instances = await Instances.start(startRedis);
    const two = [instances.open(), instances.open()] as const;
    const [here, there] = two;
    const id = await instances.create();
    for (const one of two) await runOn(one, id);
    const [near, far] = two.map((one) => new Watching(one, id, new Follower({ lossy: true }))) as [
      Watching,
      Watching,
    ];
    for (const one of [near, far]) await one.had(2);
    const attempts = two.map(({ live, origin }) => {
      const attempt = attemptAt(1, origin);
      live.started(id, attempt);
      return attempt;
    }) as [AttemptUnderWay, AttemptUnderWay];
    for (const text of ['One', ' and', ' only']) {
      for (const [index, { live }] of two.entries()) live.said(id, attempts[index] as AttemptUnderWay, text);
      for (const { publisher } of two) await publisher.ping();
    }
    await commit(here, attempts[0], id);
    for (const one of [near, far]) await one.had(3);
    expect([...near.follower.texts]).toEqual([[here.origin, 'One and only']]);
    expect([...far.follower.texts]).toEqual([[there.origin, 'One and only']]);
  });

  it('4.4: a removal is heard everywhere', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const { promise, resolve } = Promise.withResolvers<void>();
    await here.live.onStop(id, () => resolve());
    const far = new Watching(there, id);
    await far.had(2);
    await instances.remove(there, id);
    expect(await far.end).toBe('removed');
    await promise;
  });
});

describe.each(SHARED_REDISES)('on $on, DESIGN 6: a run stops', ({ startRedis }) => {
  it('when its conversation is ended on another instance', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const far = new Watching(there, id);
    const { provider, done } = run(here, id, () => [text('For ever'), 'wait']);
    await far.until(({ follower }) => [...follower.texts.values()].includes('For ever'));
    await end(there, id);
    await done;
    expect(provider.open).toBe(0);
    expect(await far.end).toBe('ended');
  });

  it('when that happened while its instance could not hear it', async () => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    const near = new Watching(here, id);
    const { provider, done } = run(here, id, () => [text('For ever'), 'wait']);
    await near.until(({ follower }) => follower.texts.size === 1);
    await deafen(here);
    await end(there, id);
    await here.publisher.ping();
    await here.subscriber.connect();
    await done;
    expect(provider.open).toBe(0);
    expect(await near.end).toBe('ended');
  });
});

describe('DESIGN 8: what nobody elsewhere watches', () => {
  it('is not published, but for the first start of a run', async () => {
    const instances = await Instances.start();
    const [here] = [instances.open(), instances.open()];
    const id = await instances.create();
    await runOn(here, id);
    const near = new Watching(here, id);
    await near.had(2);
    const observer = await observe(instances);
    for (let turn = 1; turn <= 5; turn++) {
      const attempt = attemptAt(turn, `a-${turn}`);
      here.live.started(id, attempt);
      here.live.said(id, attempt, `Turn ${turn}`);
      // Until the answer to what was published is there.
      await here.publisher.ping();
      here.live.said(id, attempt, ' has these words.');
      await commit(here, attempt, id);
    }
    await end(here, id);
    expect(await near.end).toBe('ended');
    expect(near.follower.texts.size).toBe(5);
    expect(await observer.kinds(here)).toEqual(['started', ...Array<string>(6).fill('entries')]);
  });

  it('is no longer published when the last has gone', async () => {
    const instances = await Instances.start();
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create();
    await runOn(here, id);
    const observer = await observe(instances);
    const attempt = attemptAt(1, 'a-1');
    here.live.started(id, attempt);
    here.live.said(id, attempt, 'Is');
    await here.publisher.ping();
    here.live.said(id, attempt, ' anybody');
    expect(await observer.kinds(here)).toEqual(['started']);

    const far = new Watching(there, id);
    await far.heard('a-1', 'Is anybody');
    here.live.said(id, attempt, ' there?');
    await far.heard('a-1', attempt.text);
    await far.leave();
    await expect.poll(() => instances.listeners(id)).toBe(1);
    for (const piece of [' No', ' one', ' is.']) {
      here.live.said(id, attempt, piece);
      await here.publisher.ping();
    }
    await commit(here, attempt, id);
    here.live.started(id, attemptAt(2, 'a-2'));
    expect(await observer.kinds(here)).toEqual(['started', 'watch', 'snapshot', 'delta', 'delta', 'entries']);
  });
});

it.each(SHARED_REDISES)(
  '4.1, 4.2: on $on, a lost connection is made good, without gap or repeat',
  async ({ startRedis }) => {
    const instances = await Instances.start(startRedis);
    const [here, there] = [instances.open(), instances.open()];
    const id = await instances.create({ maxTurns: 50 });
    await runOn(here, id);
    const all = [here, there, there].map((one) => new Watching(one, id, new Follower({ lossy: true })));
    for (let turn = 1; turn <= 12; turn++) {
      const attempt = attemptAt(turn, `a-${turn}`);
      here.live.started(id, attempt);
      here.live.said(id, attempt, `This is turn ${turn},`);
      if (turn % 3 > 0) for (const one of all) await one.heard(attempt.id, attempt.text);
      if (turn % 2 === 0) {
        // Whoever doesn't listen again yet can't be cut off.
        while ((await instances.listeners(id)) < 2);
        const lost = [here, there].map(({ subscriber }) => once(subscriber, 'close'));
        await instances.cutListeners();
        await Promise.all(lost);
      }
      here.live.said(id, attempt, ' which 🙂 is');
      if (turn % 4 === 0) for (const one of all) await one.heard(attempt.id, attempt.text);
      here.live.said(id, attempt, ' said.');
      await commit(here, attempt, id);
    }
    await end(there, id);
    for (const one of all) {
      expect(await one.end).toBe('ended');
      expect(one.follower.events).toHaveLength(15);
    }
  },
);

it('4.1: who came while the instance that runs it could not hear is heard of when it can', async () => {
  const instances = await Instances.start();
  const [here, there] = [instances.open(), instances.open()];
  const id = await instances.create();
  await runOn(here, id);
  const attempt = attemptAt(1, 'a-1');
  here.live.started(id, attempt);
  await here.publisher.ping();
  await deafen(here);
  const far = new Watching(there, id);
  await far.had(2);
  here.live.said(id, attempt, 'Nobody');
  await here.publisher.ping();
  await here.subscriber.connect();
  await far.heard('a-1', 'Nobody');
  here.live.said(id, attempt, ' but you');
  await far.heard('a-1', attempt.text);
  expect(far.frames.map(({ type }) => type).slice(2)).toEqual(['turn.started', 'turn.delta', 'turn.delta']);
});

it('4.1, 4.2: a publishing connection that was lost is made good, too', async () => {
  const instances = await Instances.start();
  const [here, there] = [instances.open(), instances.open()];
  const id = await instances.create();
  await runOn(here, id);
  const far = new Watching(there, id);
  await far.had(2);
  const attempt = attemptAt(1, 'a-1');
  here.live.started(id, attempt);
  here.live.said(id, attempt, 'One');
  await far.heard('a-1', 'One');
  here.publisher.disconnect(true);
  here.live.said(id, attempt, ', two');
  await once(here.publisher, 'close');
  here.live.said(id, attempt, ', three');
  await far.heard('a-1', 'One, two, three');
  await commit(here, attempt, id);
  await end(here, id);
  expect(await far.end).toBe('ended');
});

it('DESIGN 8: where Redis is away for good, who wants to listen is told so, and nothing is left behind', async () => {
  const instances = await Instances.start();
  const here = instances.open();
  const id = await instances.create();
  here.die();
  await expect(new Watching(here, id).end).rejects.toThrow('Connection is closed');
  await expect(here.live.onStop(id, () => {})).rejects.toThrow('Connection is closed');
});

it('4.4: an event that another instance appended is told once, whoever runs the conversation', async () => {
  const instances = await Instances.start();
  const [here, there] = [instances.open(), instances.open()];
  const id = await instances.create();
  const all = [new Watching(here, id), new Watching(there, id)];
  for (const one of all) await one.had(2);
  for (let seq = 3; seq <= 12; seq++) {
    const { log } = seq % 2 === 0 ? here : there;
    expect(await log.addMessage(id, seq - 1, [reply(seq)])).toBe('appended');
  }
  expect(await here.log.addMessage(id, 12, [reply(13), ended(14)])).toBe('appended');
  for (const one of all) {
    expect(await one.end).toBe('ended');
    expect(one.follower.events).toHaveLength(14);
  }
});
