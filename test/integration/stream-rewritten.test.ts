import { cpSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StreamFrame } from '../../src/client/types.ts';
import { follow } from '../fixtures/follower.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { saysRewritten, TRANSPORTS, watchEvents, watchSocket, watchToEnd } from '../fixtures/watcher.ts';

const AGENTS = [{ provider: 'local' }, { provider: 'local' }];

async function answerNext(vendor: SteppedVendor, ...pieces: string[]): Promise<void> {
  const call = await vendor.nextCall();
  for (const piece of pieces) await call.say(piece);
  call.finish();
}

/**
 * A server that goes on from a copy of its folder as it was behind the first turn. `lost` is what a reader had of
 * the end that was there before; the same conversation has ended again since, after as many events.
 */
async function restored(): Promise<{ url: string; id: string; lost: StreamFrame[] }> {
  const vendor = await startSteppedVendor();
  onTestFinished(() => vendor[Symbol.asyncDispose]());
  const [folder, backup] = [temporaryFolder(), temporaryFolder()];
  const first = await startServer({ ...vendor.environment, DATA_DIR: folder });
  const { id } = await startTalk(first.url, { agents: AGENTS, maxTurns: 2 });
  const opening = await watchSocket(first.url, id);
  await answerNext(vendor, 'One.');
  await opening.until((frame) => frame.type === 'message' && frame.message.turn === 1);
  await vendor.nextCall();
  await first.stop('SIGKILL');
  cpSync(folder, backup, { recursive: true });

  const second = await startServer({ ...vendor.environment, DATA_DIR: folder });
  const watcher = await watchSocket(second.url, id);
  await answerNext(vendor, 'Two, ', 'which ', 'will be lost.');
  await watcher.closed;
  await second.stop();

  const third = await startServer({ ...vendor.environment, DATA_DIR: backup });
  await answerNext(vendor, 'Two.');
  await watchToEnd(watchSocket(third.url, id));
  return { url: third.url, id, lost: watcher.frames };
}

describe.each(TRANSPORTS)('$name', ({ watch }) => {
  it('4.4, DESIGN 7: who comes back with what is gone is told so, and anybody else goes on', async () => {
    const { url, id, lost } = await restored();
    const log = await readLog(url, id);
    expect(lost.length).toBeGreaterThanOrEqual(9);
    expect(log).toHaveLength(5);
    let kept = 0;
    for (const { cursor, ...frame } of lost) {
      const isGone = 'seq' in frame && frame.seq > 3;
      if (!isGone && 'seq' in frame) kept = frame.seq;
      const watcher = await watch(url, id, { after: cursor });
      const isTold = await saysRewritten(watcher);
      const seqs = watcher.frames.flatMap((one) => ('seq' in one ? [one.seq] : []));
      const rest = isGone ? [] : log.slice(kept).map(({ seq }) => seq);
      expect({ cursor, isTold, seqs }).toEqual({ cursor, isTold: isGone, seqs: rest });
    }
    expect(follow(await watchToEnd(watch(url, id))).events).toEqual(log);
  });
});

it('4.4: over Server-Sent Events the last frame says so, without an id, also at the end of what has ended', async () => {
  const { url, id, lost } = await restored();
  const end = lost.at(-1)?.cursor ?? '';
  for (const options of [{ after: end }, { headers: { 'last-event-id': end } }]) {
    const watcher = await watchEvents(url, id, options);
    expect(await watcher.closed).toBe('end');
    expect(watcher.events).toEqual([
      {
        id: '',
        event: 'stream.rewritten',
        data: JSON.stringify({ type: 'stream.rewritten', conversationId: id }),
      },
    ]);
  }
});
