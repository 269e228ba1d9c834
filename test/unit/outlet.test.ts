import { describe, expect, it } from 'vitest';
import type { AttemptUnderWay } from '../../src/conversation/stream/frames.ts';
import type { Said } from '../../src/live/messages.ts';
import { Outlet } from '../../src/live/outlet.ts';
import { attemptAt } from '../fixtures/instances.ts';
import { settle } from '../fixtures/scripted-conversation.ts';

/** An outlet, what it published, and the answers to that, which the test gives. */
function open({ countsAll = true } = {}) {
  const said: Said[] = [];
  const answers: PromiseWithResolvers<number>[] = [];
  const outlet = new Outlet((message) => {
    said.push(message);
    const answer = Promise.withResolvers<number>();
    answers.push(answer);
    return answer.promise;
  }, countsAll);
  const kinds = (): string[] => said.map((message) => Object.keys(message)[0] ?? '');
  const heardBy = async (count: number): Promise<void> => {
    answers.shift()?.resolve(count);
    await settle();
  };
  const unheard = async (): Promise<void> => {
    answers.shift()?.reject(new Error('Connection is closed'));
    await settle();
  };
  const say = (attempt: AttemptUnderWay, text: string): void => {
    attempt.text += text;
    outlet.said();
  };
  return { outlet, said, kinds, heardBy, unheard, say };
}

describe('DESIGN 8: what a run says to other instances', () => {
  it('is its first start, and nothing more while nobody else hears it', async () => {
    const { outlet, kinds, heardBy, say } = open();
    const attempt = attemptAt(1, 'a');
    outlet.started(attempt);
    await heardBy(1);
    say(attempt, 'Anybody?');
    outlet.appended(3);
    outlet.started(attemptAt(2, 'b'));
    outlet.failed(attemptAt(2, 'b'), { error: 'network', retryInMs: 0 });
    expect(kinds()).toEqual(['started']);
  });

  it('is one piece at a time, which has all that was said meanwhile', async () => {
    const { outlet, said, heardBy, say } = open();
    const attempt = attemptAt(1, 'a');
    outlet.started(attempt);
    say(attempt, 'A');
    await heardBy(2);
    for (const text of ['b', 'c', '🙂']) say(attempt, text);
    expect(said).toHaveLength(2);
    await heardBy(2);
    expect(said.slice(1)).toEqual([
      { delta: { attempt: 'a', afterSeq: 2, from: 0, text: 'A' } },
      { delta: { attempt: 'a', afterSeq: 2, from: 1, text: 'bc🙂' } },
    ]);
    await heardBy(2);
    outlet.appended(3);
    outlet.said();
    expect(said).toHaveLength(3);
  });

  it('is the first piece of an attempt right behind its start, where somebody is known to hear it', async () => {
    const { outlet, kinds, heardBy, say } = open();
    const [first, second] = [attemptAt(1, 'a'), attemptAt(2, 'b')];
    outlet.started(first);
    say(first, 'Anybody?');
    expect(kinds()).toEqual(['started']);
    await heardBy(2);
    await heardBy(2);
    outlet.appended(3);
    outlet.started(second);
    say(second, 'Well');
    say(second, ' then');
    expect(kinds()).toEqual(['started', 'delta', 'started', 'delta']);
    await heardBy(2);
    expect(kinds()).toHaveLength(4);
    await heardBy(2);
    expect(kinds()).toHaveLength(5);
  });

  it('is all of an attempt for who asks, also while the answer says that nobody was there', async () => {
    const { outlet, said, kinds, heardBy, say } = open();
    const attempt = attemptAt(1, 'a');
    outlet.started(attempt);
    outlet.asked(null);
    await heardBy(1);
    expect(kinds()).toEqual(['started', 'snapshot']);
    await heardBy(2);
    say(attempt, 'Now');
    expect(said[2]).toMatchObject({ delta: { from: 0, text: 'Now' } });
    await heardBy(1);
    say(attempt, ' none');
    expect(said).toHaveLength(3);
    outlet.asked(null);
    expect(said[3]).toMatchObject({ snapshot: { id: 'a', text: 'Now none' } });
  });

  it('is nothing to an asker where nothing is under way, and then the next start', async () => {
    const { outlet, kinds, heardBy } = open();
    outlet.started(attemptAt(1, 'a'));
    await heardBy(1);
    outlet.appended(3);
    outlet.asked(null);
    expect(kinds()).toEqual(['started']);
    outlet.started(attemptAt(2, 'b'));
    expect(kinds()).toEqual(['started', 'started']);
  });

  it('is all of it again after it could not be said, and not before somebody may hear it', async () => {
    const { outlet, said, kinds, heardBy, unheard, say } = open();
    const attempt = attemptAt(1, 'a');
    outlet.started(attempt);
    await heardBy(2);
    say(attempt, 'Lost');
    await unheard();
    for (const text of [' and', ' gone']) say(attempt, text);
    expect(kinds()).toEqual(['started', 'delta']);
    outlet.again();
    expect(said[2]).toMatchObject({ snapshot: { text: 'Lost and gone' } });
    await unheard();
    outlet.failed(attempt, { error: 'network', retryInMs: 0 });
    outlet.started(attemptAt(1, 'b'));
    expect(kinds()).toEqual(['started', 'delta', 'snapshot', 'started']);
  });

  it('on a cluster, where nobody counts all, stops when nobody has answered a start', async () => {
    const { outlet, said, kinds, heardBy, say } = open({ countsAll: false });
    const [first, second] = [attemptAt(1, 'a'), attemptAt(2, 'b')];
    outlet.started(first);
    expect(said).toEqual([expect.objectContaining({ renew: true })]);
    outlet.asked('a');
    await heardBy(0);
    say(first, 'Heard');
    await heardBy(0);
    outlet.appended(3);
    outlet.started(second);
    await heardBy(0);
    outlet.appended(4);
    outlet.started(attemptAt(3, 'c'));
    expect(kinds()).toEqual(['started', 'delta', 'started']);
    outlet.asked(null);
    expect(kinds()).toEqual(['started', 'delta', 'started', 'snapshot']);
  });
});
