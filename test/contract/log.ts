import { beforeEach, describe, expect, it } from 'vitest';
import { type ConversationEvent, nudgeEvent, replyEvent } from '../../src/conversation/log/events.ts';
import type { ContextMessage } from '../../src/conversation/log/log.ts';
import { SharedQueue } from '../../src/conversation/log/shared-queue.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import {
  Announced,
  conversation,
  ENDED_BY_USER,
  ended,
  later,
  MAX_TURNS_REACHED,
  type OpenStorage,
  readLog,
  reply,
  type Storage,
  settings,
} from '../fixtures/conversations.ts';
import { describeCatalog } from './catalog.ts';
import { describeListing } from './listing.ts';

/** What every backend of the ports ConversationLog and ConversationCatalog has to do. */
export function describeQueue(name: string, open: OpenStorage): void {
  describe(`${name} as the shared queue`, () => {
    describeAppending(open);
    describeSixVerbs(open);
    describeReading(open);
    describeAnnouncing(open);
  });
  describe(`${name} as the catalog`, () => {
    describeCatalog(open);
    describeListing(open);
  });
}

const NOWHERE = '01900000-0000-7000-8000-000000000000';

/** The face that the platform is known for. */
function describeSixVerbs(open: OpenStorage): void {
  it('has the six verbs of the shared queue', async () => {
    const storage = await open(new Announced());
    const made = conversation();
    await storage.create(made);
    const { id } = made;
    const queue = new SharedQueue({ log: storage.backend, catalog: storage.backend }, () => later(9000));
    await queue.healthCheck();
    expect(await queue.addMessage(id, 2, [reply(3)])).toBe('appended');
    expect(await queue.addMessage(id, 2, [reply(3)])).toBe('sequence_conflict');
    expect(await queue.addMessage(NOWHERE, 2, [reply(3)])).toBe('not_found');
    expect((await queue.getContext(id, 1)).map(({ content }) => content)).toEqual(['reply 1']);
    expect(await queue.getLastSender(id)).toBe('Ada');
    expect(await queue.getLastSender(NOWHERE)).toBeUndefined();
    expect(await queue.isTerminated(id)).toBe(false);
    expect(await queue.markTerminated(id, ENDED_BY_USER)).toBe('appended');
    expect(await queue.markTerminated(id, ENDED_BY_USER)).toBe('terminated');
    expect(await queue.addMessage(id, 4, [reply(5)])).toBe('terminated');
    expect(await queue.isTerminated(id)).toBe(true);
    expect((await readLog(storage, id)).at(-1)).toMatchObject({ seq: 4, type: 'conversation.terminated' });
  });
}

function describeAppending(open: OpenStorage): void {
  let storage: Storage;
  let id: string;
  beforeEach(async () => {
    storage = await open(new Announced());
    const made = conversation();
    id = made.id;
    await storage.create(made);
  });

  it('3.1: a log begins with the settings and the opening message', async () => {
    const log = await readLog(storage, id);
    expect(log.map(({ seq, type }) => ({ seq, type }))).toEqual([
      { seq: 1, type: 'conversation.created' },
      { seq: 2, type: 'message' },
    ]);
    expect(log.map(({ json }) => readEvent(json))).toMatchObject([
      { seq: 1, settings: settings() },
      { seq: 2, message: { seq: 2, turn: 0, sender: 'Moderator', role: 'moderator', metadata: {} } },
    ]);
  });

  it('appends a nudge with the message that calls for it, and goes on', async () => {
    const nudge = nudgeEvent(4, later(4000), { kind: 'gratitude', content: 'Say something new.' });
    expect(await storage.addMessage(id, 2, [reply(3), nudge])).toBe('appended');
    expect((await storage.readOn(id, 3, 10)).map(({ json }) => readEvent(json))).toEqual([nudge]);
    expect(await storage.get(id)).toMatchObject({ status: 'running', turns: 1, lastSeq: 4 });
    expect(await storage.unfinished()).toEqual([id]);
    expect(await storage.getContext(id, 10)).toHaveLength(2);
    const next = replyEvent(5, later(5000), { turn: 2, sender: 'Ben', content: 'New.', metadata: {} });
    expect(await storage.addMessage(id, 4, [next])).toBe('appended');
  });

  it('DESIGN: takes an event of a type that nobody here knows, and all else goes on', async () => {
    const unknown = { seq: 3, type: 'tool.called', at: later(3000).toISOString(), tool: { name: 'clock' } };
    const event = unknown as unknown as ConversationEvent;
    expect(await storage.addMessage(id, 2, [event, reply(4)])).toBe('appended');
    expect((await readLog(storage, id)).at(2)).toEqual({
      seq: 3,
      type: 'tool.called',
      json: JSON.stringify(unknown),
    });
    expect(await storage.get(id)).toMatchObject({ status: 'running', lastSeq: 4, turns: 2 });
    expect((await storage.getContext(id, 10)).map(({ seq }) => seq)).toEqual([2, 4]);
    expect((await storage.messages(id, {}, { limit: 10, afterSeq: 0 })).items).toHaveLength(2);
    expect(await storage.addMessage(id, 4, [ended(5)])).toBe('appended');
  });

  it('keeps the trace that a conversation belongs to, and nothing where it has none', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const traced = conversation({ traceparent });
    await storage.create(traced);
    expect(JSON.parse((await readLog(storage, traced.id))[0]?.json ?? '')).toMatchObject({ traceparent });
    expect(JSON.parse((await readLog(storage, id))[0]?.json ?? '')).not.toHaveProperty('traceparent');
  });

  it('keeps a message as it was given', async () => {
    const event = reply(3, {
      content: '“Ja”, she said:\n\t\\ "no" 🙂 \u2028 日本',
      metadata: { costUsd: 0.1 },
    });
    expect(await storage.addMessage(id, 2, [event])).toBe('appended');
    const [entry] = await storage.readOn(id, 2, 10);
    expect(entry).toEqual({ seq: 3, type: 'message', json: JSON.stringify(event) });
  });

  it.each([0, 1, 3, 1000])('refuses an append behind %i where the log ends at 2', async (expectedSeq) => {
    expect(await storage.addMessage(id, expectedSeq, [reply(expectedSeq + 1)])).toBe('sequence_conflict');
    expect(await readLog(storage, id)).toHaveLength(2);
  });

  it('knows no conversation that was never made', async () => {
    expect(await storage.addMessage(NOWHERE, 2, [reply(3)])).toBe('not_found');
    expect(await storage.markTerminated(NOWHERE, ENDED_BY_USER)).toBe('not_found');
  });

  it('appends a message and its end as one, or neither', async () => {
    expect(await storage.addMessage(id, 3, [reply(4), ended(5)])).toBe('sequence_conflict');
    expect(await storage.isTerminated(id)).toBe(false);
    expect(await readLog(storage, id)).toHaveLength(2);
    expect(await storage.addMessage(id, 2, [reply(3), ended(4)])).toBe('appended');
    expect(await storage.isTerminated(id)).toBe(true);
    expect((await readLog(storage, id)).map(({ type }) => type).slice(2)).toEqual([
      'message',
      'conversation.terminated',
    ]);
  });

  it('lets exactly one of many writers of the same moment win', async () => {
    const writers = Array.from({ length: 20 }, (_, index) => reply(3, { content: `writer ${index}` }));
    const outcomes = await Promise.all(writers.map((event) => storage.addMessage(id, 2, [event])));
    const winner = outcomes.indexOf('appended');
    expect(outcomes.filter((outcome) => outcome === 'sequence_conflict')).toHaveLength(19);
    expect(await storage.getContext(id, 10)).toMatchObject([{ seq: 2 }, { content: `writer ${winner}` }]);
  });

  it('takes what one writer appends without waiting, in order', async () => {
    const outcomes = await Promise.all(
      [3, 4, 5, 6].map((seq) => storage.addMessage(id, seq - 1, [reply(seq)])),
    );
    expect(outcomes).toEqual(['appended', 'appended', 'appended', 'appended']);
    expect((await readLog(storage, id)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('ends a conversation wherever its log stands, once', async () => {
    await storage.addMessage(id, 2, [reply(3)]);
    const outcomes = await Promise.all([
      storage.markTerminated(id, ENDED_BY_USER),
      storage.markTerminated(id, MAX_TURNS_REACHED),
    ]);
    expect(outcomes.sort()).toEqual(['appended', 'terminated']);
    const log = await readLog(storage, id);
    expect(log).toHaveLength(4);
    expect(readEvent(log[3]?.json ?? '')).toMatchObject({ seq: 4, type: 'conversation.terminated' });
  });

  it('3.4: appends nothing behind the end', async () => {
    await storage.markTerminated(id, ENDED_BY_USER);
    expect(await storage.addMessage(id, 3, [reply(4)])).toBe('terminated');
    expect(await storage.addMessage(id, 2, [reply(3)])).toBe('terminated');
    expect(await storage.addMessage(id, 3, [reply(4), ended(5)])).toBe('terminated');
    expect(await storage.markTerminated(id, MAX_TURNS_REACHED)).toBe('terminated');
    expect(await readLog(storage, id)).toHaveLength(3);
  });

  it('decides a race between the last message and an end from outside for one of them', async () => {
    const outcomes = await Promise.all([
      storage.addMessage(id, 2, [reply(3), ended(4)]),
      storage.markTerminated(id, ENDED_BY_USER),
    ]);
    expect(outcomes).toEqual(expect.arrayContaining(['appended', 'terminated']));
    const types = (await readLog(storage, id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'conversation.terminated')).toHaveLength(1);
    expect(types.at(-1)).toBe('conversation.terminated');
  });

  it('is well', async () => {
    await expect(storage.healthCheck()).resolves.toBeUndefined();
  });
}

function describeReading(open: OpenStorage): void {
  let storage: Storage;
  let id: string;
  beforeEach(async () => {
    storage = await open(new Announced());
    const made = conversation();
    id = made.id;
    await storage.create(made);
  });

  const contents = (messages: readonly ContextMessage[]): string[] => messages.map(({ content }) => content);

  it('gives the last messages in order, however many are asked for', async () => {
    for (let seq = 3; seq <= 7; seq++) await storage.addMessage(id, seq - 1, [reply(seq)]);
    const all = [settings().openingMessage, 'reply 1', 'reply 2', 'reply 3', 'reply 4', 'reply 5'];
    for (const limit of [1, 3, 2, 6, 100, 1]) {
      expect(contents(await storage.getContext(id, limit))).toEqual(all.slice(-limit));
    }
  });

  it('gives a message in the context from the moment it is appended', async () => {
    for (let seq = 3; seq <= 30; seq++) {
      await storage.addMessage(id, seq - 1, [reply(seq)]);
      expect(contents(await storage.getContext(id, 2)).at(-1)).toBe(`reply ${seq - 2}`);
    }
    expect(await storage.getContext(id, 100)).toHaveLength(29);
  });

  it('has no context, no sender and no end where there is no conversation', async () => {
    expect(await storage.getContext(NOWHERE, 10)).toEqual([]);
    expect(await storage.getLastSender(NOWHERE)).toBeUndefined();
    expect(await storage.isTerminated(NOWHERE)).toBeUndefined();
    expect(await storage.readOn(NOWHERE, 0, 10)).toEqual([]);
  });

  it('finds a conversation that was asked for before it was made', async () => {
    const made = conversation();
    expect(await storage.getContext(made.id, 10)).toEqual([]);
    await storage.create(made);
    await storage.addMessage(made.id, 2, [reply(3)]);
    expect(await storage.getContext(made.id, 10)).toHaveLength(2);
  });

  it('says who spoke last', async () => {
    expect(await storage.getLastSender(id)).toBe('Moderator');
    await storage.addMessage(id, 2, [reply(3, { sender: 'Ada' })]);
    expect(await storage.getLastSender(id)).toBe('Ada');
    await storage.markTerminated(id, ENDED_BY_USER);
    expect(await storage.getLastSender(id)).toBe('Ada');
  });

  it('reads on from any seq, at most as many events as asked for', async () => {
    for (let seq = 3; seq <= 9; seq++) await storage.addMessage(id, seq - 1, [reply(seq)]);
    const seqs = async (afterSeq: number, limit: number) =>
      (await storage.readOn(id, afterSeq, limit)).map(({ seq }) => seq);
    expect(await seqs(0, 3)).toEqual([1, 2, 3]);
    expect(await seqs(3, 3)).toEqual([4, 5, 6]);
    expect(await seqs(7, 100)).toEqual([8, 9]);
    expect(await seqs(9, 100)).toEqual([]);
    expect(await seqs(5000, 100)).toEqual([]);
  });

  it('reads about 1 MiB at once and no more, but always at least one event', async () => {
    const content = 'x'.repeat(400_000);
    for (let seq = 3; seq <= 7; seq++) await storage.addMessage(id, seq - 1, [reply(seq, { content })]);
    expect((await storage.readOn(id, 2, 1000)).map(({ seq }) => seq)).toEqual([3, 4, 5]);
    const large = 'y'.repeat(2_000_000);
    await storage.addMessage(id, 7, [reply(8, { content: large })]);
    expect((await storage.readOn(id, 7, 1000)).map(({ seq }) => seq)).toEqual([8]);
    expect(await readLog(storage, id)).toHaveLength(8);
  });
}

function describeAnnouncing(open: OpenStorage): void {
  let storage: Storage;
  let announced: Announced;
  beforeEach(async () => {
    announced = new Announced();
    storage = await open(announced);
  });

  it('3.2: announces each event once, in order, as it stands in the log', async () => {
    const { id, ...rest } = conversation();
    await storage.create({ id, ...rest });
    await Promise.all([
      storage.addMessage(id, 2, [reply(3)]),
      storage.addMessage(id, 2, [reply(3, { content: 'too late' })]),
      storage.addMessage(id, 3, [reply(4)]),
      storage.markTerminated(id, ENDED_BY_USER),
      storage.markTerminated(id, ENDED_BY_USER),
    ]);
    expect(announced.seqs(id)).toEqual([1, 2, 3, 4, 5]);
    expect(announced.entries.map(({ entry }) => entry)).toEqual(await readLog(storage, id));
  });

  it('3.2: announces only what a reader finds at once, and before the writer goes on', async () => {
    const made = conversation();
    await storage.create(made);
    await storage.getContext(made.id, 10);
    const found: Promise<[unknown, unknown, unknown]>[] = [];
    announced.during = (id) => {
      found.push(
        Promise.all([storage.readOn(id, 2, 10), storage.getContext(id, 10), storage.getLastSender(id)]),
      );
    };
    await storage.addMessage(made.id, 2, [reply(3)]);
    expect(found).toHaveLength(1);
    expect(await found[0]).toMatchObject([[{ seq: 3 }], [{ seq: 2 }, { seq: 3, content: 'reply 1' }], 'Ada']);
    expect(await storage.getContext(made.id, 10)).toHaveLength(2);
  });

  it('shows everybody the same context while several conversations move', async () => {
    const made = [conversation(), conversation(), conversation()];
    for (const each of made) await storage.create(each);
    const seen: Promise<ContextMessage[]>[] = [];
    announced.during = () => {
      for (const { id } of made) seen.push(storage.getContext(id, 10));
    };
    for (let seq = 3; seq <= 5; seq++) {
      await Promise.all(made.map(({ id }) => storage.addMessage(id, seq - 1, [reply(seq)])));
    }
    for (const messages of await Promise.all(seen)) {
      expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 2));
    }
    for (const { id } of made) {
      expect((await storage.getContext(id, 10)).map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
    }
  });

  it('announces a removal once, and nothing of a refused write', async () => {
    const made = conversation();
    await storage.create(made);
    const told: string[] = [];
    announced.during = (id) => told.push(id);
    await storage.addMessage(made.id, 7, [reply(8)]);
    await storage.markStarted(made.id, later(0));
    await storage.healthCheck();
    expect(await storage.delete(made.id)).toBe(true);
    expect(await storage.delete(made.id)).toBe(false);
    expect(await storage.addMessage(made.id, 2, [reply(3)])).toBe('not_found');
    expect(told).toEqual([]);
    expect(announced.removals).toEqual([made.id]);
    expect(announced.seqs(made.id)).toEqual([1, 2]);
  });
}
