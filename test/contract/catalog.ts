import { beforeEach, describe, expect, it } from 'vitest';
import { pausedEvent, resumedEvent } from '../../src/conversation/log/events.ts';
import { EVERY_TENANT, IDEMPOTENCY_WINDOW_MS } from '../../src/conversation/log/log.ts';
import {
  Announced,
  agent,
  conversation,
  ENDED_BY_USER,
  ended,
  later,
  type OpenStorage,
  readLog,
  reply,
  START,
  type Storage,
  settings,
} from '../fixtures/conversations.ts';

/** What the catalog says of single conversations: records, idempotency, removal. */
export function describeCatalog(open: OpenStorage): void {
  let storage: Storage;
  beforeEach(async () => {
    storage = await open(new Announced());
  });
  const create = async (extra: Parameters<typeof conversation>[0] = {}): Promise<string> => {
    const made = conversation(extra);
    expect(await storage.create(made)).toEqual({ outcome: 'created' });
    return made.id;
  };

  describe('tenants', () => {
    const page = { limit: 10 };
    const ids = ({ items }: { items: { id: string }[] }): string[] => items.map(({ id }) => id);

    it('2.5: what is another one is found nowhere', async () => {
      const { backend } = storage;
      const [ours, theirs] = [await create({ tenant: 'ours' }), await create({ tenant: 'theirs' })];
      const plain = await create();
      expect(await backend.get('ours', ours)).toMatchObject({ id: ours, tenant: 'ours' });
      expect(await backend.get('ours', theirs)).toBeUndefined();
      expect(await backend.get('default', ours)).toBeUndefined();
      expect(await backend.delete('ours', theirs)).toBe(false);
      for (const filter of [{}, { status: 'running' }, { provider: 'claude' }, { q: 'science' }] as const) {
        expect(ids(await backend.list('ours', filter, page))).toEqual([ours]);
        expect(ids(await backend.list('default', filter, page))).toEqual([plain]);
        expect(ids(await backend.list('nobody', filter, page))).toEqual([]);
        expect(ids(await backend.list(EVERY_TENANT, filter, page)).toSorted()).toEqual(
          [ours, theirs, plain].toSorted(),
        );
      }
      expect(await backend.delete('theirs', theirs)).toBe(true);
      expect(await backend.get(EVERY_TENANT, theirs)).toBeUndefined();
    });
  });

  describe('labels', () => {
    it('find conversations by entries of their metadata, as texts', async () => {
      const metadata = [{ run: 1 }, { run: '1', ok: true }, { run: 2 }, {}] as const;
      const made: string[] = [];
      for (const entries of metadata) made.push(await create({ settings: settings({ metadata: entries }) }));
      const found = async (labels: Record<string, string>): Promise<number[]> => {
        const { items } = await storage.list({ labels }, { limit: 10 });
        return items.map(({ id }) => made.indexOf(id)).toSorted((one, other) => one - other);
      };
      expect(await found({ run: '1' })).toEqual([0, 1]);
      expect(await found({ run: '1', ok: 'true' })).toEqual([1]);
      expect(await found({ run: '3' })).toEqual([]);
      expect(await found({ ['constructor']: '1' })).toEqual([]);
      expect(await found({})).toEqual([0, 1, 2, 3]);
    });
  });

  describe('pauses', () => {
    it('10.1: stand in the record and in lists, and nobody runs them, until they are over', async () => {
      const id = await create();
      const paused = pausedEvent(3, later(3000), { for: 'human', by: 'system', agent: 'Ada' });
      await storage.addMessage(id, 2, [paused]);
      const pause = { for: 'human', since: later(3000).toISOString(), by: 'system', agent: 'Ada' };
      expect(await storage.get(id)).toMatchObject({ status: 'paused', pause, lastSeq: 3 });
      expect((await storage.list({ status: 'paused' }, { limit: 5 })).items).toMatchObject([{ id, pause }]);
      expect((await storage.list({ status: 'running' }, { limit: 5 })).items).toEqual([]);
      expect(await storage.unfinished()).toEqual([]);
      await storage.addMessage(id, 3, [resumedEvent(4, later(4000), { by: 'user' })]);
      expect(await storage.get(id)).toMatchObject({ status: 'running', pause: null, lastSeq: 4 });
      expect(await storage.unfinished()).toEqual([id]);
      await storage.addMessage(id, 4, [ended(5)]);
      expect(await storage.get(id)).toMatchObject({ status: 'terminated', pause: null });
    });

    it('a conversation that waits for its place stays queued until it is started', async () => {
      const id = await create({ startedAt: null });
      await storage.addMessage(id, 2, [pausedEvent(3, later(3000), { for: 'user', by: 'user' })]);
      expect(await storage.get(id)).toMatchObject({ status: 'paused' });
      await storage.addMessage(id, 3, [resumedEvent(4, later(4000), { by: 'user' })]);
      expect(await storage.get(id)).toMatchObject({ status: 'queued', startedAt: null });
      await storage.markStarted(id, later(5000));
      expect(await storage.get(id)).toMatchObject({
        status: 'running',
        startedAt: later(5000).toISOString(),
      });
    });
  });

  describe('records', () => {
    it('begin as their settings say', async () => {
      const all = settings({
        metadata: { experiment: '42', n: 1.5, ok: true },
        termination: { maxCostUsd: 1 },
      });
      const id = await create({ settings: all });
      expect(await storage.get(id)).toEqual({
        id,
        tenant: 'default',
        status: 'running',
        settings: all,
        turns: 0,
        agentTurns: [0, 0],
        usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0, costUsd: 0 },
        lastSeq: 2,
        lastSender: 'Moderator',
        lastSpeaker: null,
        createdAt: START.toISOString(),
        startedAt: START.toISOString(),
        endedAt: null,
        ending: null,
        pause: null,
        outcome: null,
        retracted: [],
        proposal: null,
        named: [],
        chosen: null,
        closing: null,
        forkedFrom: null,
      });
    });

    it('are not there for a conversation that was never made', async () => {
      expect(await storage.get('01900000-0000-7000-8000-000000000000')).toBeUndefined();
    });

    it('count turns, tokens and cost, and say how it ended', async () => {
      const id = await create();
      const metadata = { inputTokens: 100, outputTokens: 10, costUsd: 0.1 };
      await storage.addMessage(id, 2, [reply(3, { metadata })]);
      await storage.addMessage(id, 3, [reply(4, { metadata: { ...metadata, costUsd: 0.2 } })]);
      await storage.addMessage(id, 4, [reply(5, { metadata }), ended(6)]);
      expect(await storage.get(id)).toMatchObject({
        status: 'terminated',
        turns: 3,
        agentTurns: [2, 1],
        usage: { inputTokens: 300, outputTokens: 30, totalTokens: 330, costUsd: 0.1 + 0.2 + 0.1 },
        lastSeq: 6,
        endedAt: later(6000).toISOString(),
        ending: { reason: 'max_turns', by: 'system' },
      });
    });

    it('have no cost any more once the price of one reply is unknown', async () => {
      const id = await create();
      await storage.addMessage(id, 2, [reply(3, { metadata: { costUsd: 0.1 } })]);
      await storage.addMessage(id, 3, [reply(4, { metadata: { inputTokens: 5 } })]);
      await storage.addMessage(id, 4, [reply(5, { metadata: { costUsd: 0.1 } })]);
      expect((await storage.get(id))?.usage).toEqual({
        inputTokens: 5,
        outputTokens: 0,
        totalTokens: 5,
        costUsd: null,
      });
    });

    it('keep a free reply free', async () => {
      const id = await create();
      await storage.addMessage(id, 2, [reply(3, { metadata: { costUsd: 0 } })]);
      expect((await storage.get(id))?.usage.costUsd).toBe(0);
    });

    it('count what agents say, and nobody else', async () => {
      const id = await create();
      const event = reply(3, { sender: 'Grace' });
      await storage.addMessage(id, 2, [{ ...event, message: { ...event.message, turn: 0, role: 'human' } }]);
      expect(await storage.get(id)).toMatchObject({
        turns: 0,
        agentTurns: [0, 0],
        usage: { costUsd: 0 },
        lastSeq: 3,
      });
      expect(await storage.getLastSender(id)).toBe('Grace');
    });

    it('say who ended it, with a detail or without', async () => {
      const id = await create();
      await storage.addMessage(id, 2, [reply(3)]);
      await storage.markTerminated(id, ENDED_BY_USER);
      const other = await create();
      await storage.markTerminated(other, { reason: 'timeout', by: 'system' });
      const record = await storage.get(id);
      expect(record).toMatchObject({ status: 'terminated', ending: ENDED_BY_USER, lastSeq: 4, turns: 1 });
      expect(record?.endedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect((await storage.get(other))?.ending).toEqual({ reason: 'timeout', by: 'system' });
    });

    it('wait until they are started, which happens once', async () => {
      const id = await create({ startedAt: null });
      expect(await storage.get(id)).toMatchObject({ status: 'queued', startedAt: null });
      await storage.markStarted(id, later(5000));
      await storage.markStarted(id, later(9000));
      expect(await storage.get(id)).toMatchObject({
        status: 'running',
        startedAt: later(5000).toISOString(),
      });
    });

    it('do not come back to life by a late start', async () => {
      const id = await create({ startedAt: null });
      await storage.markTerminated(id, ENDED_BY_USER);
      await storage.markStarted(id, later(5000));
      await storage.markStarted('01900000-0000-7000-8000-000000000000', later(5000));
      expect(await storage.get(id)).toMatchObject({ status: 'terminated', startedAt: null });
    });

    it.each([
      ['names that every object has', ['__proto__', 'constructor', 'toString', 'hasOwnProperty']],
      ['names with quotes and signs', ['"', "O'Neill", '\\', '$.x', '%', ', ']],
      ['names beyond ASCII', ['Zoë', 'zoë', '日本', '🙂']],
    ])('count the turns of agents with %s', async (_, names) => {
      const id = await create({ settings: settings({ agents: names.map((name) => agent(name)) }) });
      let seq = 2;
      for (const [index, sender] of names.entries()) {
        for (let turn = 0; turn <= index; turn++, seq++) {
          await storage.addMessage(id, seq, [reply(seq + 1, { sender })]);
        }
      }
      expect((await storage.get(id))?.agentTurns).toEqual(names.map((_, index) => index + 1));
      for (const [index, sender] of names.entries()) {
        const { items } = await storage.messages(id, { sender }, { limit: 50, afterSeq: 0 });
        expect(items).toHaveLength(index + 1);
      }
    });
  });

  describe('2.6: an idempotency key', () => {
    const idempotency = { key: 'key "1"', bodyHash: 'hash' };

    it('stands for one conversation', async () => {
      const id = await create({ idempotency });
      expect(await storage.create(conversation({ idempotency }))).toEqual({ outcome: 'replayed', id });
      const other = conversation({ idempotency: { ...idempotency, bodyHash: 'another' } });
      expect(await storage.create(other)).toEqual({ outcome: 'idempotency_mismatch' });
      expect(await storage.get(other.id)).toBeUndefined();
      expect((await storage.list({}, { limit: 10 })).items.map((record) => record.id)).toEqual([id]);
    });

    it('stands for one conversation when it is used many times at once', async () => {
      const all = Array.from({ length: 10 }, () => conversation({ idempotency }));
      const outcomes = await Promise.all(all.map((made) => storage.create(made)));
      const { items } = await storage.list({}, { limit: 50 });
      expect(items).toHaveLength(1);
      expect(outcomes.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
      const replays = outcomes.filter(({ outcome }) => outcome !== 'created');
      expect(replays).toEqual(replays.map(() => ({ outcome: 'replayed', id: items[0]?.id })));
    });

    it('is remembered for 24 hours and no longer', async () => {
      const id = await create({ idempotency });
      const justBefore = conversation({ idempotency, createdAt: later(IDEMPOTENCY_WINDOW_MS - 1) });
      expect(await storage.create(justBefore)).toEqual({ outcome: 'replayed', id });
      const second = await create({
        idempotency: { ...idempotency, bodyHash: 'another' },
        createdAt: later(IDEMPOTENCY_WINDOW_MS),
      });
      expect(second).not.toBe(id);
      const third = conversation({ idempotency, createdAt: later(IDEMPOTENCY_WINDOW_MS + 1) });
      expect(await storage.create(third)).toEqual({ outcome: 'idempotency_mismatch' });
    });

    it('is forgotten with its conversation', async () => {
      await storage.delete(await create({ idempotency }));
      const again = conversation({ idempotency: { ...idempotency, bodyHash: 'another' } });
      expect(await storage.create(again)).toEqual({ outcome: 'created' });
    });

    it('is another one when it differs by a letter, and none is needed', async () => {
      await create({ idempotency });
      await create({ idempotency: { ...idempotency, key: 'KEY "1"' } });
      await create();
      await create();
      expect((await storage.list({}, { limit: 10 })).items).toHaveLength(4);
    });
  });

  describe('removing', () => {
    it('leaves nothing, and nothing of others is touched', async () => {
      const kept = await create({ settings: settings({ topic: 'Bees' }) });
      await storage.addMessage(kept, 2, [reply(3)]);
      const id = await create({ settings: settings({ topic: 'Bees and ants' }) });
      await storage.addMessage(id, 2, [reply(3), ended(4)]);
      await storage.getContext(id, 10);
      const keptLog = await readLog(storage, kept);

      expect(await storage.delete(id)).toBe(true);
      expect(await storage.get(id)).toBeUndefined();
      expect(await storage.isTerminated(id)).toBeUndefined();
      expect(await storage.getLastSender(id)).toBeUndefined();
      expect(await storage.getContext(id, 10)).toEqual([]);
      expect(await storage.readOn(id, 0, 10)).toEqual([]);
      expect(await storage.messages(id, {}, { limit: 10, afterSeq: 0 })).toEqual({
        items: [],
        nextCursor: null,
      });
      for (const filter of [
        {},
        { q: 'bees' },
        { q: 'be' },
        { provider: 'claude' },
        { status: 'running' as const },
      ]) {
        expect((await storage.list(filter, { limit: 10 })).items.map((record) => record.id)).toEqual([kept]);
      }
      expect(await readLog(storage, kept)).toEqual(keptLog);
      expect(await storage.getContext(kept, 10)).toHaveLength(2);
    });

    it('says when there was nothing', async () => {
      expect(await storage.delete('01900000-0000-7000-8000-000000000000')).toBe(false);
      const id = await create();
      const answers = await Promise.all([storage.delete(id), storage.delete(id)]);
      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    it('wins or loses against an append as a whole', async () => {
      const id = await create();
      const [appended, removed] = await Promise.all([
        storage.addMessage(id, 2, [reply(3)]),
        storage.delete(id),
      ]);
      expect(['appended', 'not_found']).toContain(appended);
      expect(removed).toBe(true);
      expect(await storage.readOn(id, 0, 10)).toEqual([]);
      expect(await storage.getContext(id, 10)).toEqual([]);
    });
  });

  it('lists what has not ended, oldest first', async () => {
    const first = await create();
    const second = await create({ startedAt: null });
    const third = await create();
    const fourth = await create();
    await storage.markTerminated(third, ENDED_BY_USER);
    await storage.markStarted(second, later(1));
    const fifth = await create({ startedAt: null });
    await storage.delete(first);
    expect(await storage.unfinished()).toEqual([second, fourth, fifth]);
  });
}
