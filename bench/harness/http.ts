import { Agent, request } from 'node:http';
import type { Conversation, ConversationRequest } from '../../src/client/types.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/**
 * One request for JSON.
 *
 * @throws Error for a status that is no success
 */
export function ask<T>(method: string, url: string, body?: unknown): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    'content-length': Buffer.byteLength(text),
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
  };
  request(url, { agent, method, headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const answer = Buffer.concat(chunks).toString();
      if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(answer) as T);
      else reject(new Error(`${method} ${url}: ${response.statusCode} ${answer}`));
    });
  })
    .on('error', reject)
    .end(text);
  return promise;
}

/** Agents that talk on whatever they say, for so many turns; no fault of theirs ends it. */
export function talk(maxTurns: number, provider = 'embedded', model = 'eliza'): ConversationRequest {
  return {
    topic: 'Should science be open by default?',
    agents: [
      { provider, model, name: 'Ada' },
      { provider, model: model === 'eliza' ? 'parry' : model, name: 'Ben' },
    ],
    maxTurns,
    timeoutSeconds: 86_400,
    termination: { phrases: [], similarity: { threshold: 1, consecutive: 10 } },
  };
}

/** Makes so many conversations; gives their ids. */
export async function createConversations(
  url: string,
  count: number,
  body: ConversationRequest,
): Promise<string[]> {
  const made: Promise<Conversation>[] = [];
  for (let index = 0; index < count; index++) made.push(ask('POST', `${url}/conversations`, body));
  return (await Promise.all(made)).map(({ id }) => id);
}

export function streamAddress(url: string, id: string, after?: string): string {
  const from = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  return `${url.replace(/^http/, 'ws')}/conversations/${id}/stream${from}`;
}
