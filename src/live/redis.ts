import type { LogEntry } from '../conversation/log/log.ts';
import type { AttemptUnderWay } from '../conversation/stream/frames.ts';
import type { LiveAnnouncer, LiveFeed, LiveListener, LiveStage } from '../conversation/stream/live.ts';
import { LocalLive } from './local.ts';
import { conversationOf, liveChannel, readMessage, type Said, writeMessage } from './messages.ts';
import { Mirror } from './mirror.ts';
import { Outlet } from './outlet.ts';

/** What is needed of a connection of ioredis, or of its cluster. */
interface Connection {
  on(event: 'close' | 'ready', listener: () => void): unknown;
}

export interface RedisLiveParts {
  /**
   * Best the one that the storage writes with, and on a cluster to the same node: what was said before an append is
   * then heard before it. With `enableAutoPipelining` what is said in the same tick goes in one write.
   */
  publisher: Connection & {
    isCluster: boolean;
    publish(channel: string, message: string): Promise<number>;
  };
  /**
   * A connection of its own. On a cluster one to any of its nodes, as each hears all that is published. Its
   * `maxRetriesPerRequest` bounds how long a stream or a run waits for a Redis that is away.
   */
  subscriber: Connection & {
    on(event: 'message', listener: (channel: string, message: string) => void): unknown;
    subscribe(...channels: string[]): Promise<unknown>;
    unsubscribe(...channels: string[]): Promise<unknown>;
  };
  /** What the names of all channels begin with. */
  prefix: string;
  /** A name of this instance that no other has. */
  origin: string;
  /** Asks the log whether a conversation has ended, when hearing of it may have been missed. */
  isTerminated: (conversationId: string) => Promise<boolean | undefined>;
}

interface Channel {
  readonly name: string;
  /** Fulfilled when this instance hears all that is said on it. */
  readonly joined: Promise<unknown>;
  followers: number;
  runs: number;
  /** While it runs here. */
  outlet: Outlet | undefined;
  /** While it is followed here. */
  mirror: Mirror | undefined;
}

/** Channels joined, or conversations asked about, at once after a connection was lost. */
const REPAIRS_AT_ONCE = 100;

/**
 * The live side of many instances, over Redis pub/sub. An instance listens to the channel of each conversation
 * that it runs or that somebody follows on it, however many follow; the fan-out within the process, and all
 * frames, are LocalLive's. Pub/sub forgets: whatever may have been lost is read from the log, or asked for
 * again.
 */
export class RedisLive implements LiveFeed, LiveStage, LiveAnnouncer {
  readonly #local = new LocalLive();
  readonly #channels = new Map<string, Channel>();
  /** Those that nobody here may need any more, until the end of the tick. */
  readonly #idle = new Set<string>();
  readonly #parts: RedisLiveParts;

  constructor(parts: RedisLiveParts) {
    this.#parts = parts;
    const { publisher, subscriber } = parts;
    subscriber.on('message', (name: string, text: string) => this.#hear(name, text));
    whenBack(subscriber, () => void this.#repair());
    whenBack(publisher, () => {
      for (const [id, { outlet, mirror }] of this.#channels) {
        outlet?.again();
        if (!mirror) continue;
        mirror.ask();
        // Before they are told of another append: a Redis that has lost its last moments may be another log.
        this.#local.lost(id);
      }
    });
  }

  async follow(conversationId: string, listener: LiveListener): Promise<{ stop: () => void }> {
    const channel = this.#open(conversationId);
    channel.followers++;
    const following = this.#local.follow(conversationId, listener);
    const leave = async (): Promise<void> => {
      channel.followers--;
      this.#leave(conversationId, channel);
      (await following).stop();
    };
    await channel.joined.catch(async (error: unknown) => {
      await leave();
      throw error;
    });
    if (!channel.mirror) {
      channel.mirror = new Mirror(this.#local, conversationId, (follows) => this.#ask(channel, follows));
      // What runs here is known here.
      if (!channel.outlet) channel.mirror.ask();
    }
    return { stop: () => void leave() };
  }

  async onStop(
    conversationId: string,
    callback: (why: 'ended' | 'interrupted') => void,
  ): Promise<{ stop: () => void }> {
    const channel = this.#open(conversationId);
    channel.runs++;
    const { publisher } = this.#parts;
    channel.outlet ??= new Outlet((message) => this.#publish(channel, message), !publisher.isCluster);
    const listening = this.#local.onStop(conversationId, callback);
    const leave = async (): Promise<void> => {
      if (--channel.runs === 0) channel.outlet = undefined;
      this.#leave(conversationId, channel);
      (await listening).stop();
    };
    await channel.joined.catch(async (error: unknown) => {
      await leave();
      throw error;
    });
    return { stop: () => void leave() };
  }

  started(conversationId: string, attempt: AttemptUnderWay): void {
    this.#local.started(conversationId, attempt);
    this.#channels.get(conversationId)?.outlet?.started(attempt);
  }

  said(conversationId: string, attempt: AttemptUnderWay, text: string): void {
    this.#local.said(conversationId, attempt, text);
    this.#channels.get(conversationId)?.outlet?.said();
  }

  failed(
    conversationId: string,
    attempt: AttemptUnderWay,
    failure: { error: string; retryInMs: number | null },
  ): void {
    this.#local.failed(conversationId, attempt, failure);
    this.#channels.get(conversationId)?.outlet?.failed(attempt, failure);
  }

  appended(conversationId: string, entries: readonly LogEntry[]): void {
    const lastSeq = entries.at(-1)?.seq ?? 0;
    const channel = this.#channels.get(conversationId);
    // First, since an attempt may go on behind these events.
    this.#local.appended(conversationId, entries);
    channel?.outlet?.appended(lastSeq);
    channel?.mirror?.appended(lastSeq);
  }

  removed(conversationId: string): void {
    this.#local.removed(conversationId);
  }

  #hear(name: string, text: string): void {
    const { prefix, origin } = this.#parts;
    const id = conversationOf(prefix, name);
    const channel = id === undefined ? undefined : this.#channels.get(id);
    if (id === undefined || channel === undefined) return;
    const message = readMessage(origin, text);
    if (message === undefined) return;
    const { outlet, mirror } = channel;
    if ('entries' in message) {
      if (!outlet?.attempt) mirror?.complete(message.entries);
      this.appended(id, message.entries);
    } else if ('removed' in message) this.removed(id);
    else if ('watch' in message) outlet?.asked(message.watch);
    // Whose lock ran out may not know it yet; here its own attempt is shown until it does.
    else if (!outlet?.attempt) mirror?.take(message);
  }

  #open(conversationId: string): Channel {
    let channel = this.#channels.get(conversationId);
    if (channel === undefined) {
      const name = liveChannel(this.#parts.prefix, conversationId);
      const joined = this.#parts.subscriber.subscribe(name);
      channel = { name, joined, followers: 0, runs: 0, outlet: undefined, mirror: undefined };
      this.#channels.set(conversationId, channel);
    }
    return channel;
  }

  /** At the end of the tick, so that who comes back at once, as a reader that is behind does, has missed nothing. */
  #leave(conversationId: string, { followers }: Channel): void {
    if (followers > 0) return;
    if (this.#idle.size === 0) setImmediate(() => this.#sweep());
    this.#idle.add(conversationId);
  }

  #sweep(): void {
    const left: string[] = [];
    for (const id of this.#idle) {
      const channel = this.#channels.get(id);
      if (!channel || channel.followers > 0) continue;
      if (!channel.outlet?.attempt) this.#local.forget(id);
      channel.mirror = undefined;
      if (channel.runs > 0) continue;
      this.#channels.delete(id);
      left.push(channel.name);
    }
    this.#idle.clear();
    if (left.length > 0) ignoring(this.#parts.subscriber.unsubscribe(...left));
  }

  /** After the subscribing connection was lost: nothing that was said meanwhile was heard. */
  async #repair(): Promise<void> {
    const channels = [...this.#channels];
    for (let at = 0; at < channels.length; at += REPAIRS_AT_ONCE) {
      const some = channels.slice(at, at + REPAIRS_AT_ONCE);
      try {
        // ioredis joins again by itself; the answer says that it has, and is the same where it was told not to.
        await this.#parts.subscriber.subscribe(...some.map(([, { name }]) => name));
      } catch {
        return; // lost again, and repaired again when it is back
      }
      await Promise.all(some.map(([id]) => this.#catchUp(id)));
    }
  }

  async #catchUp(conversationId: string): Promise<void> {
    const channel = this.#channels.get(conversationId);
    if (channel === undefined) return;
    const { outlet, mirror, runs } = channel;
    if (mirror) {
      // Whoever follows again, which they do at once, gets a new one, which asks what is under way.
      channel.mirror = undefined;
      if (!outlet?.attempt) this.#local.forget(conversationId);
      this.#local.lost(conversationId);
    }
    outlet?.again();
    if (runs === 0) return;
    // Where the storage can't say it now, the run's next append will be told.
    const terminated = await this.#parts.isTerminated(conversationId).catch(() => false);
    if (terminated !== false) this.#local.ended(conversationId);
  }

  /** Unheard, it is asked again when the connection is back, or by what doesn't join on. */
  #ask(channel: Channel, follows: string | null): void {
    ignoring(this.#publish(channel, { watch: follows }));
  }

  #publish({ name }: Channel, message: Said): Promise<number> {
    const { publisher, origin } = this.#parts;
    return publisher.publish(name, writeMessage(origin, message));
  }
}

/** Calls back whenever a connection is ready again after it was lost. */
function whenBack(connection: Connection, callback: () => void): void {
  let lost = false;
  connection.on('close', () => {
    lost = true;
  });
  connection.on('ready', () => {
    if (lost) callback();
    lost = false;
  });
}

function ignoring(promise: Promise<unknown>): void {
  promise.catch(() => {});
}
