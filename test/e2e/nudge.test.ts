import { expect, it, onTestFinished } from 'vitest';
import { startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { answer, type Script, startVendor, unlikeAnswers } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const AGENTS = [
  { provider: 'local', name: 'Ada' },
  { provider: 'local', name: 'Ben' },
];

async function stage(script: Script) {
  const vendor = await startVendor('openai', script);
  onTestFinished(vendor.close);
  const server = await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm' });
  const run = async (extra: object = {}) => {
    const { id } = await startTalk(server.url, { agents: AGENTS, maxTurns: 12, termination: {}, ...extra });
    const watcher = await watchSocket(server.url, id);
    await watcher.closed;
    return { log: await readLog(server.url, id), frames: watcher.frames };
  };
  return { vendor, server, run };
}

it('2.3, 3: agents that go round in circles are nudged once, and ended when they go on', async () => {
  const { vendor, run } = await stage(() => answer('Bees are the most important animals of all.'));
  const { log, frames } = await run();
  const types = log.map(({ type }) => type);
  const nudge = types.indexOf('conversation.nudged');
  expect(log[nudge]).toMatchObject({ seq: nudge + 1, kind: expect.any(String) });
  expect(types.filter((type) => type === 'conversation.nudged')).toHaveLength(1);
  expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'repetition', by: 'system' });
  expect(types.slice(nudge + 1)).toEqual(['message', 'conversation.terminated']);
  // 3.3: the nudge is no message, and takes no turn.
  const turns = log.flatMap((event) => (event.type === 'message' ? [event.message.turn] : []));
  expect(turns).toEqual(turns.map((_, index) => index));
  expect(frames.filter(({ type }) => type === 'conversation.nudged')).toHaveLength(1);
  // Each agent is shown it, at its place, as the moderator's.
  const shown = vendor.requests.map(({ body }) => JSON.stringify(body));
  const { content } = log[nudge] as { content: string };
  const words = JSON.stringify(`Moderator: ${content}`).slice(1, -1);
  const repliesBefore = nudge - 2;
  expect(shown.slice(0, repliesBefore).some((body) => body.includes(words))).toBe(false);
  expect(shown.slice(repliesBefore).every((body) => body.includes(words))).toBe(true);
});

it('3: who takes the nudge to heart goes on', async () => {
  const fresh = unlikeAnswers();
  const { run } = await stage(({ body }) =>
    JSON.stringify(body).includes('Say something new')
      ? fresh()
      : answer('Bees are the most important animals of all.'),
  );
  const { log } = await run();
  expect(log.map(({ type }) => type)).toContain('conversation.nudged');
  expect(log.at(-1)).toMatchObject({ reason: 'max_turns' });
});

it('2.1: with nudge false a loop ends the conversation without a word before', async () => {
  const { run } = await stage(() => answer('Bees are the most important animals of all.'));
  const { log } = await run({ termination: { similarity: { nudge: false } } });
  expect(log.map(({ type }) => type)).not.toContain('conversation.nudged');
  expect(log.at(-1)).toMatchObject({ reason: 'repetition' });
});
