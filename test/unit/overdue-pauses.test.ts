import { expect, it } from 'vitest';
import { endOverduePauses, LONGEST_PAUSE_MS } from '../../src/conversation/hands/overdue.ts';
import { pausedEvent } from '../../src/conversation/log/events.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { Announced, conversation, later } from '../fixtures/conversations.ts';
import { asked } from '../fixtures/storage.ts';

it('10.1: what was paused for 7 days ends with timeout, and nothing else does', async () => {
  const backend = new MemoryStorage(new Announced());
  const storage = asked(backend);
  const pauses = Array.from({ length: 450 }, (_, index) => (index % 2 === 0 ? 0 : 1));
  const made = [];
  for (const since of pauses) {
    const each = conversation();
    await storage.create(each);
    await storage.addMessage(each.id, 2, [pausedEvent(3, later(since), { for: 'user', by: 'user' })]);
    made.push({ ...each, since });
  }
  const running = conversation();
  await storage.create(running);
  const ended: string[] = [];
  await endOverduePauses({ log: backend, catalog: backend }, later(LONGEST_PAUSE_MS), (id) => ended.push(id));
  expect(ended.toSorted()).toEqual(
    made
      .filter(({ since }) => since === 0)
      .map(({ id }) => id)
      .toSorted(),
  );
  expect(await storage.get(ended[0] ?? '')).toMatchObject({
    status: 'terminated',
    pause: null,
    ending: { reason: 'timeout', by: 'system' },
  });
  expect((await storage.list({ status: 'paused' }, { limit: 500 })).items).toHaveLength(225);
  expect(await storage.get(running.id)).toMatchObject({ status: 'running' });
});
