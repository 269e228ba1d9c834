import type { Cluster, Redis } from 'ioredis';
import { defineScript, type Script } from '../../storage/redis/scripts.ts';
import type { Owner } from '../runner.ts';

/** A conversation that may have its job now. */
export interface Admitted {
  conversationId: string;
  owner: Owner;
  /** Its job's priority: lower ones go first. */
  turn: number;
}

export interface AdmissionParts {
  connection: Redis | Cluster;
  /** Before every key, in braces. */
  prefix: string;
  /** The key of a job in Redis. */
  keyOfJob: (conversationId: string) => string;
  /** How many of those that a key made run at once, on all instances; undefined: without limit. */
  activeLimitOf: (key: string) => number | undefined;
}

/** Between coming in and having its job nothing but two calls to Redis happen. */
const HAS_JOB_AFTER_MS = 5000;
/** How long a note that a conversation was woken stands; a repair has come by many times then. */
const NOTE_SECONDS = 3600;

/**
 * Who may be in the queue, and in which order, for all instances. A job's priority is a turn: who has none waiting
 * gets the turn that a place was given to last, each further one of a tenant the turn behind. Of a key that has a
 * limit so many have jobs; the others are gated until one of these ends. A place of a key is the job itself, so that
 * an instance that is killed leaves none behind: whoever takes the job goes on in its place.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #admit: Script;
  readonly #taken: Script;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const script = (name: string): URL => new URL(`./scripts/${name}.lua`, import.meta.url);
    this.#admit = defineScript(parts.connection, 'runner_admit', script('admit'));
    this.#taken = defineScript(parts.connection, 'runner_taken', script('taken'));
  }

  /** Lets a conversation in, or has it wait. What has its job already changes nothing. */
  enter(conversationId: string, owner: Owner): Promise<Admitted[]> {
    return this.#ask(owner.key, { coming: conversationId, tenant: owner.tenant });
  }

  /** Gives on the place of a conversation whose job is over. */
  left(conversationId: string, key: string | undefined): Promise<Admitted[]> {
    return key === undefined ? Promise.resolve([]) : this.#ask(key, { ended: conversationId });
  }

  /**
   * Lets in who waits for a place that nobody gave on, since an instance died before it could, or since a key's limit
   * is another now.
   */
  async sweep(): Promise<Admitted[]> {
    const keys = await this.#parts.connection.smembers(this.#name('keys'));
    const admitted = await Promise.all(keys.map((key) => this.#ask(key, { patience: HAS_JOB_AFTER_MS })));
    return admitted.flat();
  }

  /** Notes that a conversation has a place, which ends the note that it was woken. */
  async taken(conversationId: string, turn: number): Promise<void> {
    const job = this.#parts.keyOfJob(conversationId);
    await this.#taken([this.#name('turn'), this.#name('turns'), job, this.#noteOf(conversationId)], [turn]);
  }

  /** Leaves a note for whoever is about to complete its job. */
  async noteWoken(conversationId: string): Promise<void> {
    await this.#parts.connection.set(this.#noteOf(conversationId), '', 'EX', NOTE_SECONDS);
  }

  /** Takes the note. */
  async wasWoken(conversationId: string): Promise<boolean> {
    return (await this.#parts.connection.del(this.#noteOf(conversationId))) === 1;
  }

  /** Of these conversations, those that have no job and aren't gated. */
  async missing(conversationIds: string[]): Promise<string[]> {
    const look = this.#parts.connection.pipeline();
    for (const conversationId of conversationIds) {
      look.exists(this.#parts.keyOfJob(conversationId)).hexists(this.#name('gated'), conversationId);
    }
    const found = (await look.exec()) ?? [];
    return conversationIds.filter(
      (_, index) => found[2 * index]?.[1] !== 1 && found[2 * index + 1]?.[1] !== 1,
    );
  }

  /** How many are gated. */
  async gated(): Promise<number> {
    return await this.#parts.connection.hlen(this.#name('gated'));
  }

  async #ask(
    key: string | undefined,
    { coming = '', tenant = '', ended = '', patience = -1 }: Partial<Asked>,
  ): Promise<Admitted[]> {
    const own = key ?? '';
    const names = [`held:${own}`, `gated:${own}`, 'gated', 'keys', 'turns', 'turn', 'arrivals'];
    const limit = key === undefined ? -1 : (this.#parts.activeLimitOf(key) ?? -1);
    const answer = await this.#admit(
      [...names.map((name) => this.#name(name)), `${this.#parts.prefix}:conversations:prioritized`],
      [this.#parts.keyOfJob(''), own, limit, coming, tenant, ended, patience],
    );
    const values = answer as (string | number)[];
    return Array.from({ length: values.length / 3 }, (_, index) => ({
      conversationId: String(values[3 * index]),
      owner: { tenant: String(values[3 * index + 1]), key },
      turn: Number(values[3 * index + 2]),
    }));
  }

  #name(what: string): string {
    return `${this.#parts.prefix}:admission:${what}`;
  }

  #noteOf(conversationId: string): string {
    return `${this.#parts.prefix}:woken:${conversationId}`;
  }
}

interface Asked {
  coming: string;
  tenant: string;
  ended: string;
  patience: number;
}
