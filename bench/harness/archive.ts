import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { recordOf } from '../../src/conversation/log/creation.ts';
import {
  type ConversationEvent,
  openingEvents,
  replyEvent,
  terminationEvent,
} from '../../src/conversation/log/events.ts';
import { messagesIn, toEntry } from '../../src/conversation/log/log.ts';
import { recordAfter } from '../../src/conversation/log/record.ts';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { DEFAULT_TENANT } from '../../src/protocol/events.ts';
import { openDatabase } from '../../src/storage/sqlite/database.ts';
import type { WriteOperation } from '../../src/storage/sqlite/operations.ts';
import { createWriter } from '../../src/storage/sqlite/writer.ts';

export interface ArchiveOptions {
  conversations: number;
  turns: number;
  /** Of one message's content. */
  bytes: number;
  /** False leaves them running, for the next server to go on with. */
  ended: boolean;
}

const GROUP = 2000;
const SECOND = 1000;
const SUBJECTS = [
  'science',
  'music',
  'gardens',
  'trains',
  'bread',
  'rivers',
  'chess',
  'weather',
  'ships',
  'clay',
];
/** In the topic of one conversation in a thousand. */
export const RARE_WORD = 'zeppelin';
export const COMMON_WORD = 'should';

/**
 * Writes a data folder as the server would have left it, through its own writer; only the waiting for the
 * disk is left out.
 *
 * @returns the ids, oldest first, and the time of the first conversation
 */
export function writeArchive(
  folder: string,
  { conversations, turns, bytes, ended }: ArchiveOptions,
): { ids: string[]; from: Date } {
  const database = openDatabase(join(folder, 'conversations.sqlite'));
  database.pragma('synchronous = OFF');
  const write = createWriter(database);
  const from = new Date(Date.now() - (conversations + 1) * SECOND);
  const ids: string[] = [];
  let group: WriteOperation[] = [];
  for (let index = 0; index < conversations; index++) {
    const createdAt = new Date(from.getTime() + index * SECOND);
    const id = uuidv7({ msecs: createdAt.getTime() });
    ids.push(id);
    const settings = settingsOf(index, turns, ended);
    for (const operation of operationsOf(id, settings, createdAt, turns, bytes, ended)) group.push(operation);
    if (group.length < GROUP) continue;
    write(group);
    group = [];
  }
  if (group.length > 0) write(group);
  database.close();
  return { ids, from };
}

function settingsOf(index: number, turns: number, ended: boolean): ConversationSettings {
  const subject = SUBJECTS[index % SUBJECTS.length] ?? '';
  const topic = `Should ${subject} be open to all, asks letter ${index}${index % 1000 === 0 ? ` of the ${RARE_WORD}` : ''}?`;
  const ben =
    index % 100 === 0 ? { provider: 'claude', model: 'claude' } : { provider: 'embedded', model: 'parry' };
  const shared = { temperature: 0.7, maxOutputTokens: 1024 };
  return {
    topic,
    agents: [
      { name: 'Ada', provider: 'embedded', model: 'eliza', ...shared },
      { name: 'Ben', ...ben, ...shared },
    ],
    openingMessage: topic,
    maxTurns: ended ? turns : turns + 1,
    timeoutSeconds: 86_400,
    contextMessages: 10,
    termination: { phrases: ['[done]'], minTurns: 2, similarity: { threshold: 0.85, consecutive: 2 } },
    metadata: {},
  };
}

function operationsOf(
  id: string,
  settings: ConversationSettings,
  createdAt: Date,
  turns: number,
  bytes: number,
  ended: boolean,
): WriteOperation[] {
  const opening = openingEvents(settings, createdAt);
  let record = recordOf(settings, opening);
  const operations: WriteOperation[] = [
    {
      kind: 'create',
      id,
      tenant: DEFAULT_TENANT,
      createdAt: createdAt.getTime(),
      startedAt: createdAt.getTime(),
      settings,
      entries: opening.map(toEntry),
      messages: messagesIn(opening),
      record,
      idempotency: null,
    },
  ];
  for (let turn = 1; turn <= turns; turn++) {
    const agent = settings.agents[(turn - 1) % settings.agents.length];
    const sender = agent?.name ?? '';
    const usage = { inputTokens: 100, outputTokens: Math.ceil(bytes / 4) };
    const metadata = {
      provider: agent?.provider ?? '',
      model: agent?.model ?? '',
      ...usage,
      latencyMs: 3,
      timeToFirstTokenMs: 1,
      attempt: `archive-${turn.toString(36)}`,
      finishReason: 'stop',
      attempts: 1,
    };
    const content = `${turn} ${'and so the talk goes on '.repeat(bytes / 24 + 1)}`.slice(0, bytes);
    const event = replyEvent(turn + 2, createdAt, { turn, sender, content, metadata });
    const last = ended && turn === turns;
    const events: ConversationEvent[] = last
      ? [event, terminationEvent(turn + 3, createdAt, { reason: 'max_turns', by: 'system' })]
      : [event];
    record = events.reduce((fields, each) => recordAfter(fields, settings, each), record);
    operations.push({
      kind: 'append',
      id,
      expectedSeq: turn + 1,
      entries: events.map(toEntry),
      messages: messagesIn(events),
      record,
    });
  }
  return operations;
}
