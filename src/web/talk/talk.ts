import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { ProblemError } from '../../client/failures.ts';
import type { Conversation, Message, StreamFrame } from '../../client/types.ts';
import { ask, currentClient, newKey } from '../server.ts';
import { applyTo, type Entry } from './entries.ts';
import { patched } from './patch.ts';
import { soon } from './soon.ts';

export type Connection = 'loading' | 'open' | 'lost' | 'ended' | 'missing';

/** A talk as it is watched. */
export interface Talk {
  id: string;
  /** Undefined until it is loaded. */
  conversation: ReadonlySignal<Conversation | undefined>;
  entries: ReadonlySignal<readonly Entry[]>;
  connection: ReadonlySignal<Connection>;
  /** Whether the history is read, and what comes now happens now. */
  isLive: ReadonlySignal<boolean>;
  /** What was said since the last step while somebody watched. */
  heard: ReadonlySignal<readonly Message[]>;
  /** Takes what the server said of the conversation. */
  learn(conversation: Conversation): void;
}

/** Behind what changes a conversation, before it is asked how it is. */
const ASK_BEHIND_MS = 250;
/** A connection that brings nothing for so long, of a talk that runs, is asked about. */
const SILENCE_MS = 12_000;
const ANSWER_WITHIN_MS = 4000;

/**
 * Follows a talk from its first event, coming back with its cursor however often the connection is lost.
 *
 * @param signal ends it
 */
export function followTalk(id: string, ending: AbortSignal): Talk {
  const conversation: Signal<Conversation | undefined> = signal(undefined);
  const shown: Signal<readonly Entry[]> = signal([]);
  const connection: Signal<Connection> = signal('loading');
  const isLive = signal(false);
  const heard: Signal<readonly Message[]> = signal([]);
  let entries: Entry[] = [];
  let waiting: StreamFrame[] = [];
  let flushing: (() => void) | undefined;
  let asking: ReturnType<typeof setTimeout> | undefined;
  let cursor: string | undefined;
  /** Of the history: up to the last event that there was when it was asked for. */
  let liveFrom = Number.POSITIVE_INFINITY;
  let lastHeard = performance.now();

  const flush = (): void => {
    flushing = undefined;
    const frames = waiting;
    waiting = [];
    batch(() => {
      const before = entries;
      const said: Message[] = [];
      const next = [...before];
      for (const frame of frames) {
        const isNew = isLive.value;
        applyTo(next, frame, isNew);
        if (conversation.value) conversation.value = patched(conversation.value, frame);
        if (isNew && frame.type === 'message') said.push(frame.message);
        if (!isNew && 'seq' in frame && frame.seq >= liveFrom) isLive.value = true;
      }
      const isSame = next.length === before.length && next.every((entry, index) => entry === before[index]);
      if (!isSame) {
        entries = next;
        shown.value = next;
      }
      if (said.length > 0) heard.value = said;
    });
    if (frames.some((frame) => 'seq' in frame) && isLive.value) askBehind();
  };

  const learn = (known: Conversation): void => {
    const before = conversation.value;
    if (before && known.lastSeq < before.lastSeq) return;
    conversation.value = known;
  };
  const askBehind = (): void => {
    asking ??= setTimeout(() => {
      asking = undefined;
      currentClient()
        .getConversation(id, { signal: ending })
        .then(learn, () => {});
    }, ASK_BEHIND_MS);
  };

  const take = (frame: StreamFrame): void => {
    cursor = frame.cursor;
    lastHeard = performance.now();
    waiting.push(frame);
    flushing ??= soon(flush);
  };

  async function follow(): Promise<void> {
    const known = await ask((client) => client.getConversation(id, { signal: ending }));
    liveFrom = known.lastSeq;
    learn(known);
    for (;;) {
      const attempt = new AbortController();
      const stop = watchOver(attempt, () => {
        connection.value = 'lost';
      });
      try {
        const frames = currentClient().watch(id, {
          after: cursor,
          signal: AbortSignal.any([attempt.signal, ending]),
          reconnection: { failures: Number.POSITIVE_INFINITY, longestDelay: 3000 },
          onConnection: (state) => {
            connection.value = state;
            lastHeard = performance.now();
            if (state === 'open') askBehind();
          },
        });
        for await (const frame of frames) take(frame);
        connection.value = 'ended';
        flushing?.();
        flush();
        askBehind();
        return;
      } catch (error) {
        ending.throwIfAborted();
        if (attempt.signal.aborted) continue;
        if (!(error instanceof ProblemError)) throw error;
        if (error.status === 401) await newKey('wrong');
        else if (error.code === 'invalid_cursor') beginAnew();
        else throw error;
      } finally {
        stop();
      }
    }
  }

  /** The server has lost what this page has had. */
  function beginAnew(): void {
    cursor = undefined;
    waiting = [];
    entries = [];
    shown.value = [];
    isLive.value = false;
  }

  /** A connection can be gone without a word: the system says so, or a question that is not answered. */
  function watchOver(attempt: AbortController, onLost: () => void): () => void {
    const cut = (): void => {
      onLost();
      attempt.abort();
    };
    const look = setInterval(() => {
      const isDue = conversation.value?.status === 'running' && performance.now() - lastHeard > SILENCE_MS;
      if (!isDue || connection.value !== 'open') return;
      lastHeard = performance.now();
      const bound = AbortSignal.any([AbortSignal.timeout(ANSWER_WITHIN_MS), ending]);
      currentClient()
        .getConversation(id, { signal: bound })
        .then(learn, (error: unknown) => {
          if (!(error instanceof ProblemError) && !ending.aborted) cut();
        });
    }, 3000);
    window.addEventListener('offline', cut);
    return () => {
      clearInterval(look);
      window.removeEventListener('offline', cut);
    };
  }

  follow().catch((error: unknown) => {
    if (ending.aborted) return;
    connection.value = error instanceof ProblemError && error.status === 404 ? 'missing' : 'lost';
  });
  ending.addEventListener('abort', () => {
    flushing?.();
    clearTimeout(asking);
  });
  return { id, conversation, entries: shown, connection, isLive, heard, learn };
}
