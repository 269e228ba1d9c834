import { z } from 'zod';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import type {
  CircuitNews,
  NamedRate,
  SharedCircuit,
  SharedProtection,
  SharedRate,
} from '../shared-protection.ts';
import { RedisCircuit } from './circuit.ts';
import { RedisRates } from './rate.ts';

/** What of the protection is meant. */
export type ProtectionKind = 'circuit' | 'rate_limit';

export interface ProtectionHooks {
  /** Redis doesn't answer: from now on this instance shields vendors by what it meets itself. */
  onFallback: (kind: ProtectionKind) => void;
  onRecovery: (kind: ProtectionKind) => void;
}

const news = z.object({
  origin: z.string(),
  name: z.string(),
  state: z.enum(['open', 'closed', 'unclaimed']),
  remainingMs: z.number(),
  /** When it was decided, in milliseconds since 1970. */
  at: z.number(),
});

/**
 * Circuits that all instances on one Redis share: a key says that one is open, and a list which ones are, for who
 * comes later, and one pub/sub channel tells who is there. A call that is well asks nothing of Redis; only making a
 * lane reads that key, and only the probe is asked for. Messages that were missed are made good by reading when the
 * connection is back. Of rate limits Redis has the token buckets: where a model has limits, each call is asked for.
 */
export class RedisProtection implements SharedProtection {
  readonly #parts: {
    client: RedisClient;
    subscriber: RedisClient;
    prefix: string;
    origin: string;
    hooks: ProtectionHooks;
  };
  readonly #channel: string;
  readonly #namesKey: string;
  readonly #circuits = new Map<string, RedisCircuit>();
  readonly #rates: RedisRates;
  readonly #isShared: Record<ProtectionKind, boolean> = { circuit: true, rate_limit: true };
  #hearStranger: (name: string) => void = () => {};
  #isClosed = false;

  /**
   * @param parts neither connection ends with it
   */
  constructor(parts: {
    client: RedisClient;
    subscriber: RedisClient;
    prefix: string;
    /** Names this instance. */
    origin: string;
    hooks: ProtectionHooks;
  }) {
    this.#parts = parts;
    this.#channel = `${parts.prefix}:circuits`;
    this.#namesKey = `${parts.prefix}:circuits:open`;
    const { client, subscriber, prefix } = parts;
    this.#rates = new RedisRates(client, prefix, (isAnswered) => this.#tell('rate_limit', isAnswered));
    subscriber.on('message', (channel: string, text: string) => {
      if (channel === this.#channel) this.#hear(text);
    });
    for (const connection of [client, subscriber]) {
      connection.on('close', () => this.#answered(false));
      connection.on('ready', () => void this.#catchUp());
    }
    client.on('ready', () => void this.#rates.tryAgain());
    void this.#catchUp();
  }

  circuit(name: string, longestProbeMs: number, hear: (heard: CircuitNews) => void): SharedCircuit {
    const { client, prefix, origin } = this.#parts;
    const circuit = new RedisCircuit({
      client,
      prefix,
      origin,
      name,
      channel: this.#channel,
      namesKey: this.#namesKey,
      longestProbeMs,
      hear,
      onAnswer: (isAnswered) => this.#answered(isAnswered),
      onLeave: () => this.#circuits.delete(name),
    });
    this.#circuits.set(name, circuit);
    void circuit.catchUp();
    return circuit;
  }

  rate(account: string, limits: readonly NamedRate[]): SharedRate {
    return this.#rates.rate(account, limits);
  }

  onStranger(hear: (name: string) => void): void {
    this.#hearStranger = hear;
  }

  /** Before the connections. */
  close(): void {
    this.#isClosed = true;
    this.#rates.close();
  }

  #hear(text: string): void {
    const { success, data } = news.safeParse(parse(text));
    if (!success || data.origin === this.#parts.origin) return;
    const { name, state, remainingMs, at } = data;
    const circuit = this.#circuits.get(name);
    if (circuit) circuit.receive(state === 'open' ? { state, remainingMs } : { state }, at);
    else if (state === 'open') this.#hearStranger(name);
  }

  async #catchUp(): Promise<void> {
    const { client, subscriber } = this.#parts;
    // The one that is back last does it.
    if (this.#isClosed || !this.#areReady()) return;
    try {
      await subscriber.subscribe(this.#channel);
      const open = await answered(client.zrange(this.#namesKey, Date.now(), '+inf', 'BYSCORE'));
      for (const name of open) if (!this.#circuits.has(name)) this.#hearStranger(name);
    } catch {
      return this.#answered(false);
    }
    const all = await Promise.all([...this.#circuits.values()].map((circuit) => circuit.catchUp()));
    if (all.every(Boolean)) this.#answered(true);
  }

  #areReady(): boolean {
    const { client, subscriber } = this.#parts;
    return client.status === 'ready' && subscriber.status === 'ready';
  }

  #answered(isAnswered: boolean): void {
    if (!isAnswered || this.#areReady()) this.#tell('circuit', isAnswered);
  }

  #tell(kind: ProtectionKind, isShared: boolean): void {
    if (this.#isClosed || this.#isShared[kind] === isShared) return;
    this.#isShared[kind] = isShared;
    if (isShared) this.#parts.hooks.onRecovery(kind);
    else this.#parts.hooks.onFallback(kind);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
