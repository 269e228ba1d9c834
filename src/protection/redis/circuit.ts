import { readFileSync } from 'node:fs';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import type { CircuitNews, Claim, SharedCircuit } from '../shared-protection.ts';

const CLAIM_PROBE = readFileSync(new URL('./scripts/claim-probe.lua', import.meta.url), 'utf8');
const CLOSE = readFileSync(new URL('./scripts/close-circuit.lua', import.meta.url), 'utf8');
/** How long it is remembered that a circuit was opened and nobody has called since a probe was due. */
const KEPT_MS = 3_600_000;
/** A claim outlasts the probe by so much. */
const CLAIM_GRACE_MS = 5000;
/** Asked again no sooner than this. */
const LEAST_RETRY_MS = 50;

/** What was decided here, and when, in milliseconds since 1970. */
type Told = { state: 'open'; at: number; openMs: number } | { state: 'closed'; at: number };

interface CircuitParts {
  client: RedisClient;
  origin: string;
  name: string;
  channel: string;
  /** The names of all circuits that are open, each by when it is forgotten. */
  namesKey: string;
  longestProbeMs: number;
  hear: (news: CircuitNews) => void;
  /** Told with each answer of Redis, and each that didn't come. */
  onAnswer: (isAnswered: boolean) => void;
  onLeave: () => void;
}

/** One circuit that the instances on a Redis share; see RedisProtection. */
export class RedisCircuit implements SharedCircuit {
  readonly #parts: CircuitParts;
  readonly #openKey: string;
  readonly #probeKey: string;
  /** What was decided here and nowhere else since. */
  #own: Told | undefined;
  #isTold = true;
  /** When the last opening that is known here was decided. */
  #openedAt = -Infinity;
  /** Counts what was told and heard: an answer about what was before that is old. */
  #news = 0;
  #claimedUntil = 0;

  constructor({ prefix, ...parts }: CircuitParts & { prefix: string }) {
    this.#parts = parts;
    // What stands in braces puts both on one node; a model's name may have braces of its own.
    const place = `{${prefix}:circuit:${encodeURIComponent(parts.name)}}`;
    this.#openKey = `${place}:open`;
    this.#probeKey = `${place}:probe`;
  }

  opened(openMs: number): void {
    void this.#tell({ state: 'open', at: Date.now(), openMs });
  }

  closed(): void {
    void this.#tell({ state: 'closed', at: Date.now() });
  }

  async claimProbe(): Promise<Claim> {
    const { client, origin, longestProbeMs } = this.#parts;
    const claimMs = longestProbeMs + CLAIM_GRACE_MS;
    const news = this.#news;
    const asked = client.eval(CLAIM_PROBE, 2, this.#openKey, this.#probeKey, origin, claimMs, KEPT_MS);
    const [outcome, leftMs] = ((await this.#answer(asked)) ?? ['granted', 0]) as [string, number];
    // That it is open could not be told to anybody.
    const isUnknown = outcome === 'closed' && !this.#isTold;
    if (outcome === 'granted' || isUnknown) {
      this.#claimedUntil = performance.now() + claimMs;
      return { granted: true };
    }
    if (news === this.#news && outcome === 'open') this.#hear({ state: 'open', remainingMs: leftMs });
    if (news === this.#news && outcome === 'closed') this.#hear({ state: 'closed' });
    return { granted: false, retryInMs: Math.max(LEAST_RETRY_MS, leftMs) };
  }

  unclaimProbe(): void {
    if (!this.#isClaimed()) return;
    this.#claimedUntil = 0;
    const { client } = this.#parts;
    const freed = client
      .multi()
      .del(this.#probeKey)
      .publish(...this.#message('unclaimed', Date.now()));
    void this.#answer(freed.exec());
  }

  leave(): void {
    this.#parts.onLeave();
  }

  /** What another instance says, decided at that time; it may come late, and then what was decided since holds. */
  receive(news: CircuitNews, at: number): void {
    if (news.state === 'open') this.#openedAt = Math.max(this.#openedAt, at);
    if (news.state !== 'closed' || at > this.#openedAt) this.#hear(news);
  }

  /** Tells what could not be told, and reads how the circuit stands. False where Redis doesn't answer. */
  async catchUp(): Promise<boolean> {
    const own = this.#own;
    if (own && !this.#isTold) {
      const isAnswered = await this.#tell(own);
      // Behind a closing that is told late there may be an opening that was missed.
      if (!isAnswered || own.state === 'open') return isAnswered;
    }
    const news = this.#news;
    const { client } = this.#parts;
    const read = await this.#answer(Promise.all([client.get(this.#openKey), client.pttl(this.#openKey)]));
    if (read === undefined) return false;
    if (news !== this.#news) return true;
    const [open, leftMs] = read;
    if (open === null) this.#hear({ state: 'closed' });
    else
      this.receive({ state: 'open', remainingMs: Math.max(0, leftMs - KEPT_MS) }, Number(open.split(' ')[1]));
    return true;
  }

  #hear(news: CircuitNews): void {
    this.#news++;
    if (news.state !== 'unclaimed') {
      this.#own = undefined;
      this.#isTold = true;
    }
    this.#parts.hear(news);
  }

  async #tell(told: Told): Promise<boolean> {
    this.#news++;
    this.#own = told;
    this.#isTold = false;
    const change = this.#parts.client.multi();
    const remainingMs = told.state === 'open' ? remainingOf(told) : 0;
    if (told.state === 'open') {
      this.#openedAt = Math.max(this.#openedAt, told.at);
      change.set(this.#openKey, `${Math.ceil(told.openMs)} ${told.at}`, 'PX', remainingMs + KEPT_MS);
    } else change.eval(CLOSE, 1, this.#openKey, told.at);
    // On a node of its own, in a cluster; before it is told, so that whoever comes too late to hear it reads it.
    void this.#answer(this.#list(told, remainingMs));
    if (this.#isClaimed()) change.del(this.#probeKey);
    this.#claimedUntil = 0;
    const message = this.#message(told.state, told.at, remainingMs);
    const isAnswered = (await this.#answer(change.publish(...message).exec())) !== undefined;
    if (isAnswered && this.#own === told) this.#isTold = true;
    return isAnswered;
  }

  #list(told: Told, remainingMs: number): Promise<unknown> {
    const { client, name, namesKey } = this.#parts;
    if (told.state === 'closed') return client.zrem(namesKey, name);
    const now = Date.now();
    const change = client.multi().zremrangebyscore(namesKey, '-inf', now);
    return change.zadd(namesKey, now + remainingMs + KEPT_MS, name).exec();
  }

  #isClaimed(): boolean {
    return performance.now() < this.#claimedUntil;
  }

  #message(state: CircuitNews['state'], at: number, remainingMs = 0): [channel: string, text: string] {
    const { channel, origin, name } = this.#parts;
    return [channel, JSON.stringify({ origin, name, state, remainingMs, at })];
  }

  /** Undefined where there was none. */
  async #answer<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      const answer = await answered(asked);
      this.#parts.onAnswer(true);
      return answer;
    } catch {
      this.#parts.onAnswer(false);
      return undefined;
    }
  }
}

/** Milliseconds until a probe is due; no more than a window, should the clock be set back. */
function remainingOf({ at, openMs }: { at: number; openMs: number }): number {
  return Math.ceil(Math.min(Math.max(0, openMs - (Date.now() - at)), openMs));
}
