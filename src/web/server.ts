import { computed, signal } from '@preact/signals';
import { type Client, createClient } from '../client/client.ts';
import { ConnectionError, ProblemError, problemOf } from '../client/failures.ts';
import { RelayedSocket } from './talk/relayed-socket.ts';
import { texts } from './text/texts.ts';

const KEPT_AS = 'aic.key';

/** The key of this tab; sessionStorage ends with it. */
const apiKey = signal(sessionStorage.getItem(KEPT_AS) ?? undefined);
/** Whether the server wants a key, and whether it refused the one it got. */
export const keyWanted = signal<'no' | 'missing' | 'wrong'>('no');
export const hasKey = computed(() => apiKey.value !== undefined);

let waiting: (() => void)[] = [];
const client = computed(() =>
  createClient({ baseUrl: location.origin, apiKey: apiKey.value, WebSocket: RelayedSocket }),
);

/** Takes a key, and repeats what was refused without it. Undefined forgets the one there is. */
export function useKey(key: string | undefined): void {
  try {
    createClient({ baseUrl: location.origin, apiKey: key });
  } catch {
    keyWanted.value = 'wrong';
    return;
  }
  if (key === undefined) sessionStorage.removeItem(KEPT_AS);
  else sessionStorage.setItem(KEPT_AS, key);
  apiKey.value = key;
  keyWanted.value = 'no';
  const repeated = waiting;
  waiting = [];
  for (const repeat of repeated) repeat();
}

/**
 * Asks the server; where it wants a key the dialog asks for one, and then it is asked again.
 *
 * @throws what the client throws, but for 401
 */
export async function ask<T>(request: (client: Client) => Promise<T>): Promise<T> {
  for (;;) {
    const used = apiKey.value;
    try {
      return await request(client.value);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status !== 401) throw error;
      if (apiKey.value === used) await newKey(used === undefined ? 'missing' : 'wrong');
    }
  }
}

/** Fulfilled when there is another key. */
export function newKey(why: 'missing' | 'wrong'): Promise<void> {
  keyWanted.value = why;
  return new Promise((resolve) => waiting.push(resolve));
}

/** The client as it is now, for what lasts longer than a request. */
export function currentClient(): Client {
  return client.value;
}

/** What the client has no method for. @throws ProblemError, ConnectionError */
export function fetchFrom(path: string, signal?: AbortSignal): Promise<Response> {
  return ask(async () => {
    const key = apiKey.value;
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(path, { headers, ...(signal ? { signal } : {}) }).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw new ConnectionError(texts.failures.unreachable, { cause });
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  });
}

/** Why something did not work, in words. */
export function wordsFor(error: unknown): string {
  if (error instanceof ConnectionError) return texts.failures.unreachable;
  if (!(error instanceof ProblemError)) return texts.failures.unexpected;
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
  if (error.code === 'budget_spent') return texts.failures.budgetSpent;
  if (error.status === 429) return texts.failures.rateLimited(seconds);
  if (error.status === 503) return texts.failures.overloaded(seconds);
  if (error.status === 403) return texts.failures.forbidden;
  const [first] = error.errors;
  return first ? `${first.path}: ${first.message}` : error.detail;
}
