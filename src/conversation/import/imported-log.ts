import { type Fault, invalid } from '../../errors.ts';
import { creationRequest } from '../../protocol/creation.ts';
import { conversationEvent } from '../../protocol/events.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { line, text } from '../../protocol/text.ts';
import { requestLike } from '../hands/fork.ts';
import { type ConversationEvent, type CreatedEvent, defined, type MessageEvent } from '../log/events.ts';
import { initialRecord, isTurn, type RecordFields, recordAfter } from '../log/record.ts';
import { type ConversationSettings, MODERATOR } from '../log/settings.ts';

/** Whose an imported conversation is, and from when and where it comes. */
export interface Importing {
  tenant: string;
  key: string | undefined;
  at: Date;
  /** Its id where it was exported. */
  from: string | undefined;
}

/** Code points of a message, whatever the server that it was said on allowed. */
const MOST_CHARACTERS = 1_000_000;
/** Of a type that this release doesn't know. */
const TYPE = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;
const LONGEST_TYPE = 64;

const KNOWN: ReadonlySet<unknown> = new Set(conversationEvent.options.map(({ shape }) => shape.type.value));
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const content = text(MOST_CHARACTERS);
const sender = line(64);
const request = creationRequest(MOST_CHARACTERS);

/**
 * Builds a log from the events of an export, and refuses what no server has written: events out of order, a second
 * beginning, something behind the end, two messages of a turn. Events of unknown types are taken along as they are.
 * A conversation that has not ended ends with its import.
 */
export class ImportedLog {
  readonly #importing: Importing;
  readonly #events: ConversationEvent[] = [];
  readonly #messages = new Set<number>();
  #created: CreatedEvent | undefined;
  #record: RecordFields | undefined;

  constructor(importing: Importing) {
    this.#importing = importing;
  }

  /** The settings, once the first event is taken. */
  get settings(): ConversationSettings {
    if (!this.#created) throw new Error('nothing was taken yet');
    return this.#created.settings;
  }

  /** @throws AppError `validation_failed` that names what is wrong with the event */
  take(given: unknown): void {
    const index = this.#events.length;
    const event = this.#checked(given, index);
    if (event.type === 'conversation.created') this.#begin(event);
    else this.#follow(event, index);
  }

  /** All that is written. @throws AppError as `take` */
  end(): { events: readonly ConversationEvent[]; record: RecordFields; settings: ConversationSettings } {
    if (!this.#record || !this.#created) throw fault('events', 'takes the events of a log');
    if (this.#record.status !== 'terminated') {
      this.take({
        seq: this.#record.lastSeq + 1,
        type: 'conversation.terminated',
        at: this.#importing.at.toISOString(),
        reason: 'user',
        detail: 'It was imported before its end',
        by: 'user',
        ...defined({ key: this.#importing.key }),
      });
    }
    const { usage } = this.#record;
    const isSound = Number.isSafeInteger(usage.totalTokens) && Number.isFinite(usage.costUsd ?? 0);
    if (!isSound) throw fault('events', 'takes tokens and dollars that can be added up');
    return { events: this.#events, record: this.#record, settings: this.#created.settings };
  }

  /** What every event has, and what those of a known type have. */
  #checked(given: unknown, index: number): ConversationEvent {
    const path = `events.${index}`;
    const { seq, type, at } = (given ?? {}) as Record<string, unknown>;
    if (typeof type !== 'string' || type.length > LONGEST_TYPE || !TYPE.test(type)) {
      throw fault(`${path}.type`, 'is no type of an event');
    }
    if (seq !== index + 1)
      throw fault(`${path}.seq`, `is not ${index + 1}: a log has no gaps and is in order`);
    if (!isTime(at)) throw fault(`${path}.at`, 'is no time such as 2026-01-31T12:00:00.000Z');
    if (!KNOWN.has(type)) return given as ConversationEvent;
    const { error } = conversationEvent.safeParse(given);
    if (error) {
      throw invalid(
        error.issues.slice(0, 50).map((issue) => ({
          path: [path, ...issue.path].join('.'),
          message: issue.message,
        })),
      );
    }
    // Read as from a log, not as parsed: what a newer release wrote into it stays.
    return readEvent(JSON.stringify(given));
  }

  #begin({ copies, importedFrom: _before, ...event }: CreatedEvent): void {
    if (event.seq !== 1) throw fault(`events.${event.seq - 1}.type`, 'is a second beginning');
    checkSettings(event.settings);
    if (copies !== undefined && copies < 0) throw fault('events.0.copies', 'is no number of messages');
    const { tenant, key, at, from } = this.#importing;
    const { key: _theirs, ...rest } = event;
    this.#created = {
      ...rest,
      tenant,
      ...defined({ key, copies }),
      importedFrom: { ...defined({ id: from }), at: at.toISOString() },
    };
    this.#events.push(this.#created);
    this.#record = initialRecord(event.settings);
  }

  #follow(event: ConversationEvent, index: number): void {
    const path = `events.${index}`;
    if (!this.#record || !this.#created) {
      throw fault(`${path}.type`, 'is not conversation.created, with which every log begins');
    }
    if (this.#record.status === 'terminated') throw fault(path, 'stands behind the end');
    if (event.type === 'message') this.#checkMessage(event, path);
    if (event.type === 'message.retracted' && !this.#messages.has(event.target)) {
      throw fault(`${path}.target`, 'is no message before it');
    }
    const { settings, copies = 0 } = this.#created;
    this.#record = recordAfter(this.#record, settings, event, event.seq <= 1 + copies);
    this.#events.push(event);
  }

  #checkMessage({ seq, message }: MessageEvent, path: string): void {
    const turns = this.#record?.turns ?? 0;
    const isOfTurn = isTurn(message, this.settings.agents);
    const faults: [string, string | undefined][] = [
      ['seq', message.seq === seq ? undefined : `is not ${seq}, as its event's`],
      ['turn', isOfTurn && message.turn <= turns ? 'is a turn that has its message already' : undefined],
      ['turn', !isOfTurn && (message.turn < 0 || message.turn > turns) ? 'is a turn to come' : undefined],
      ['timestamp', isTime(message.timestamp) ? undefined : 'is no time such as 2026-01-31T12:00:00.000Z'],
      ['content', content.safeParse(message.content).error?.issues[0]?.message],
      ['sender', sender.safeParse(message.sender).error?.issues[0]?.message],
    ];
    for (const [field, what] of faults) if (what !== undefined) throw fault(`${path}.message.${field}`, what);
    this.#messages.add(seq);
  }
}

/** A conversation is made from what a request may say, so that its settings are as of one. */
function checkSettings(settings: ConversationSettings): void {
  const parsed = request.safeParse(requestLike(settings, {}, 0));
  const faults: Fault[] = (parsed.error?.issues ?? []).map(({ path, message }) => ({
    path: ['events.0.settings', ...path].join('.'),
    message,
  }));
  if (!content.safeParse(settings.openingMessage).success) {
    faults.push({ path: 'events.0.settings.openingMessage', message: 'is no text' });
  }
  const names = settings.agents.map(({ name }) => name);
  if (names.length < 2 || new Set(names).size < names.length || names.includes(MODERATOR)) {
    const message = `takes 2 to 16 agents with names of their own, none of them ${MODERATOR}`;
    faults.push({ path: 'events.0.settings.agents', message });
  }
  if (faults.length > 0) throw invalid(faults.slice(0, 50));
}

function isTime(given: unknown): boolean {
  return typeof given === 'string' && time.test(given) && !Number.isNaN(Date.parse(given));
}

function fault(path: string, message: string): Error {
  return invalid([{ path, message }]);
}
