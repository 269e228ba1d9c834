import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { startRedis } from '../fixtures/redis.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

it('2.8: any instance finds what was said on another, also after kills and without its file', async () => {
  const redis = await startRedis();
  try {
    const folder = temporaryFolder();
    const start = () => startServer({ REDIS_URL: redis.url, DATA_DIR: folder });
    const [first, second, third] = await Promise.all([start(), start(), start()]);
    const found = async ({ url }: ServerProcess, q: string) =>
      new Set((await createClient({ baseUrl: url }).search({ q })).items.map((hit) => hit.conversationId));
    const say = async (topic: string) => {
      const { id } = await startTalk(first.url, { topic, maxTurns: 2 });
      await (await watchSocket(first.url, id)).closed;
      return id;
    };

    const one = await say('the xylophonist of Zwickau');
    for (const each of [first, second, third]) {
      await expect.poll(() => found(each, 'xylophonist'), { timeout: 20_000 }).toEqual(new Set([one]));
    }

    // Deleted on one, it is gone on all.
    const two = await say('a quixotic xylophonist');
    await expect.poll(() => found(second, 'quixotic'), { timeout: 20_000 }).toEqual(new Set([two]));
    await createClient({ baseUrl: third.url }).deleteConversation(two);
    for (const each of [first, second, third]) expect(await found(each, 'quixotic')).toEqual(new Set());

    // Killed, and come back; the second time with no index at all.
    await second.stop('SIGKILL');
    const three = await say('a third xylophonist');
    const back = await start();
    await expect.poll(() => found(back, 'xylophonist')).toEqual(new Set([one, three]));
    await Promise.all([first, third, back].map((each) => each.stop('SIGKILL')));
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    const anew = await start();
    await expect.poll(() => found(anew, 'xylophonist')).toEqual(new Set([one, three]));
    const { incomplete } = await createClient({ baseUrl: anew.url }).search({ q: 'xylophonist' });
    expect(incomplete).toBeUndefined();
  } finally {
    await redis.stop();
  }
});
