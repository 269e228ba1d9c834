import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConversationFilter, ConversationRecord, Page } from '../../src/conversation/log/log.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import {
  Announced,
  agent,
  conversation,
  ENDED_BY_USER,
  ended,
  later,
  type OpenStorage,
  reply,
  type Storage,
  settings,
} from '../fixtures/conversations.ts';
import { asked } from '../fixtures/storage.ts';

const NAMES = ['Ada', '__proto__', 'O"N\'eill'];
const PROVIDERS = ['claude', 'grok', 'embedded'];
const WORDS = ['bees', 'Ants', '100%', '"q"', '日本', 'a_b', 'İß🙂'];

type Step =
  | {
      kind: 'create';
      words: string[];
      providers: string[];
      queued: boolean;
      key: number | null;
      body: number;
    }
  | {
      kind: 'append';
      which: number;
      off: number;
      content: string;
      tokens: number;
      cost: number | null;
      end: boolean;
    }
  | { kind: 'end' | 'start' | 'remove'; which: number };

const which = fc.nat({ max: 7 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('create' as const),
      words: fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 4 }),
      providers: fc.array(fc.constantFrom(...PROVIDERS), { minLength: 2, maxLength: 3 }),
      queued: fc.boolean(),
      key: fc.option(fc.nat({ max: 2 })),
      body: fc.nat({ max: 1 }),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      which,
      off: fc.oneof(
        { weight: 6, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 1) },
      ),
      content: fc.constantFrom(...WORDS),
      tokens: fc.nat({ max: 1000 }),
      cost: fc.oneof(
        { weight: 5, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
        { weight: 1, arbitrary: fc.constant(null) },
      ),
      end: fc.nat({ max: 9 }).map((die) => die === 0),
    }),
  },
  fc.record({ kind: fc.constantFrom('end' as const, 'start' as const, 'remove' as const), which }),
);

const query = fc.record({
  filter: fc.record(
    {
      status: fc.constantFrom('queued' as const, 'running' as const, 'terminated' as const),
      provider: fc.constantFrom(...PROVIDERS),
      q: fc.constantFrom(
        ...WORDS,
        'BEE',
        'b',
        'S',
        '%',
        ' ',
        's ',
        's a',
        '"',
        '本',
        '本 ',
        'ẞ',
        'i',
        '🙂',
        'ß🙂',
        'e*',
      ),
      createdAfter: fc.nat({ max: 20 }).map((hours) => later(hours * 3_600_000)),
      createdBefore: fc.nat({ max: 60 }).map((hours) => later(hours * 3_600_000)),
    },
    { requiredKeys: [] },
  ),
  sender: fc.option(fc.constantFrom(...NAMES, 'Moderator'), { nil: undefined }),
  word: fc.option(fc.constantFrom(...WORDS), { nil: undefined }),
  limit: fc.integer({ min: 1, max: 4 }),
  afterSeq: fc.nat({ max: 6 }),
});
type Query = typeof query extends fc.Arbitrary<infer T> ? T : never;

/** The steps of one round are taken at the same moment; then everything readable is read. */
const rounds = fc.array(fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 6 }), query }), {
  minLength: 1,
  maxLength: 12,
});

/** Has a backend and the model take the same random steps; all that they answer has to be the same. */
export function describeRandomly(name: string, open: OpenStorage): void {
  describe(`${name} and the model`, () => {
    it('agree on whatever is done to them', async () => {
      await fc.assert(
        fc.asyncProperty(rounds, async (all) => {
          const [theirs, ours] = [new Announced(), new Announced()];
          const backend = await open(theirs);
          const model = asked(new MemoryStorage(ours));
          const ids: string[] = [];
          for (const [index, { steps, query }] of all.entries()) {
            const actions = await prepare(steps, ids, index, model);
            const outcomes = await Promise.all(actions.map((act) => act(backend)));
            expect(outcomes).toEqual(await Promise.all(actions.map((act) => act(model))));
            expect(await observe(backend, ids, query)).toEqual(await observe(model, ids, query));
          }
          for (const id of ids) expect(theirs.seqs(id)).toEqual(ours.seqs(id));
          expect(theirs.removals).toEqual(ours.removals);
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Settles what each step means before any is taken, so that both sides are asked the very same. */
async function prepare(
  steps: readonly Step[],
  ids: string[],
  round: number,
  model: Storage,
): Promise<((storage: Storage) => Promise<unknown>)[]> {
  const seqs = new Map<string, number>();
  const actions: ((storage: Storage) => Promise<unknown>)[] = [];
  for (const step of steps) {
    if (step.kind === 'create') {
      const createdAt = later(round * 6 * 3_600_000);
      const made = conversation({
        createdAt,
        startedAt: step.queued ? null : createdAt,
        settings: settings({
          topic: step.words.join(' '),
          agents: step.providers.map((provider, index) => agent(NAMES[index] ?? '', { provider })),
        }),
        idempotency: step.key === null ? null : { key: `key ${step.key}`, bodyHash: `body ${step.body}` },
      });
      ids.push(made.id);
      actions.push((storage) => storage.create(made));
      continue;
    }
    const id = ids[step.which % Math.max(1, ids.length)] ?? 'nothing';
    if (step.kind === 'append') {
      const lastSeq = seqs.get(id) ?? (await model.get(id))?.lastSeq ?? 2;
      const seq = Math.max(1, lastSeq + step.off + 1);
      if (step.off === 0) seqs.set(id, lastSeq + 1);
      const { content, tokens, cost } = step;
      const metadata = { inputTokens: tokens, outputTokens: 1, ...(cost === null ? {} : { costUsd: cost }) };
      const event = reply(seq, { sender: NAMES[seq % 2] ?? '', content, metadata });
      actions.push((storage) =>
        storage.addMessage(id, seq - 1, step.end ? [event, ended(seq + 1)] : [event]),
      );
    } else if (step.kind === 'end') {
      actions.push((storage) => storage.markTerminated(id, ENDED_BY_USER));
    } else if (step.kind === 'start') {
      actions.push((storage) => storage.markStarted(id, later(round)));
    } else {
      actions.push((storage) => storage.delete(id));
    }
  }
  return actions;
}

/** Everything that both ports can be asked, without the times that a backend takes from its own clock. */
async function observe(storage: Storage, ids: readonly string[], query: Query): Promise<unknown> {
  const { limit, afterSeq, sender, word } = query;
  const each = ids.map(async (id) => ({
    record: timeless(await storage.get(id)),
    context: await storage.getContext(id, limit),
    longer: await storage.getContext(id, limit + 3),
    lastSender: await storage.getLastSender(id),
    terminated: await storage.isTerminated(id),
    log: (await storage.readOn(id, afterSeq, limit + 1)).map(({ seq, type, json }) => {
      const event = readEvent(json);
      return { seq, type, event: type === 'conversation.terminated' ? { ...event, at: '' } : event };
    }),
    messages: await storage.messages(id, { sender, q: word }, { limit, afterSeq }),
  }));
  return {
    each: await Promise.all(each),
    pages: await pages(storage, query.filter, limit),
    unfinished: await storage.unfinished(),
  };
}

async function pages(storage: Storage, filter: ConversationFilter, limit: number): Promise<unknown[]> {
  const found: unknown[] = [];
  let page: Page<ConversationRecord>;
  let cursor: string | undefined;
  do {
    page = await storage.list(filter, { limit, cursor });
    found.push(page.items.map(timeless));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

function timeless(record: ConversationRecord | undefined): ConversationRecord | undefined {
  return record && { ...record, endedAt: record.endedAt && 'some time' };
}
