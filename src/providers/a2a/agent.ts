import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  A2A_PROTOCOL_VERSION,
  A2A_VERSION_HEADER,
  AGENT_CARD_PATH,
  type AgentCard,
  Role,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState,
} from '@a2a-js/sdk';
import { type Client, ClientFactory, JsonRpcTransportFactory } from '@a2a-js/sdk/client';
import { z } from 'zod';
import { ProviderError, type WaitingTask } from '../../conversation/turn/provider.ts';
import type { Chunk } from '../answer.ts';
import { codeOf, RPC } from './failures.ts';
import { agentFetch, HttpFailure } from './fetch.ts';
import { Reply } from './reply.ts';

/** How long a card that was read is taken to be as it is, in milliseconds. */
const CARD_MS = 5 * 60 * 1000;
/** How often a task is asked for that nobody streams, in milliseconds: at first, and at most. */
const ASK_MS = { first: 200, longest: 5000 };
/** For the word to an agent that its task is of no use any more, in milliseconds. */
const CANCEL_MS = 2000;
const NEWEST_MESSAGES = 10;
const BINDING = 'JSONRPC';

/** What is needed of a card; the rest is for people. https://a2a-protocol.org/v1.0.0/specification/ */
const cardSchema = z.object({
  supportedInterfaces: z.array(
    z.object({
      url: z.url({ protocol: /^https?$/ }),
      protocolBinding: z.string(),
      protocolVersion: z.string(),
      tenant: z.string().default(''),
    }),
  ),
  capabilities: z.object({ streaming: z.boolean().optional() }).default({}),
});

/** What is said to an agent: all that it needs to know, or where its task waits, what answers that. */
export interface Said {
  whole: string;
  answer: string;
  waiting: WaitingTask | undefined;
}

/** A remote agent that speaks A2A 1.0 over JSON-RPC: the only place that calls its SDK. */
export class RemoteAgent {
  readonly #base: string;
  readonly #fetch: typeof globalThis.fetch;
  #known: { client: Client; streams: boolean; until: number } | undefined;

  /** @param base where its card is, with or without a path */
  constructor(base: string) {
    this.#base = base.replace(/\/*$/, '/');
    this.#fetch = agentFetch(base);
  }

  /** Reads its card, and finds its interface. @throws as a call does */
  async check(signal: AbortSignal): Promise<void> {
    await this.#client(signal);
  }

  /** Says something, and gives what is answered. Who stops reading has the task cancelled. */
  async *ask(said: Said, signal: AbortSignal): AsyncGenerator<Chunk> {
    try {
      const { client, streams } = await this.#client(signal);
      const before = said.waiting && (await taskBefore(client, said.waiting, signal));
      yield* this.#converse(client, streams, said, before, signal);
    } catch (error) {
      // Its card may be another by now.
      this.#known = undefined;
      throw error;
    }
  }

  async *#converse(
    client: Client,
    streams: boolean,
    said: Said,
    before: Task | 'unknown' | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Chunk> {
    const reply = new Reply(before === 'unknown' ? undefined : before);
    const request = before ? requestOf(said.answer, said.waiting) : requestOf(said.whole, undefined);
    try {
      for await (const event of events(client, streams, request, signal)) yield* reply.take(event);
      for (let wait = ASK_MS.first; reply.openTask !== undefined; wait = Math.min(2 * wait, ASK_MS.longest)) {
        await delay(wait, undefined, { signal });
        const task = await client.getTask(getTask(reply.openTask), { signal });
        yield* reply.take({ payload: { $case: 'task', value: task } });
      }
    } finally {
      if (reply.openTask !== undefined) cancel(client, reply.openTask);
    }
  }

  async #client(signal: AbortSignal): Promise<{ client: Client; streams: boolean }> {
    if (this.#known && Date.now() < this.#known.until) return this.#known;
    const card = await this.#card(signal);
    const parsed = cardSchema.safeParse(card);
    const interfaces = parsed.data?.supportedInterfaces ?? [];
    const chosen = interfaces.find(
      ({ protocolBinding, protocolVersion }) =>
        protocolBinding.toUpperCase() === BINDING && /^1(?:\.|$)/.test(protocolVersion),
    );
    if (!parsed.success || !chosen) {
      throw new ProviderError('not_found', "The agent's card has no JSON-RPC interface of protocol 1.0");
    }
    const { capabilities } = parsed.data;
    const known = { supportedInterfaces: [chosen], capabilities } as unknown as AgentCard;
    const factory = new ClientFactory({
      transports: [new JsonRpcTransportFactory({ fetchImpl: this.#fetch })],
    });
    const client = await factory.createFromAgentCard(known);
    this.#known = { client, streams: capabilities.streaming ?? false, until: Date.now() + CARD_MS };
    return this.#known;
  }

  /** Below the base; where only its host has one, that. */
  async #card(signal: AbortSignal): Promise<unknown> {
    const headers = { accept: 'application/json', [A2A_VERSION_HEADER]: A2A_PROTOCOL_VERSION };
    const below = new URL(AGENT_CARD_PATH, this.#base);
    const ofHost = new URL(`/${AGENT_CARD_PATH}`, this.#base);
    try {
      const found = await this.#fetch(below, { headers, signal }).catch((error: unknown) => {
        const isMissing = error instanceof HttpFailure && error.status === 404;
        if (!isMissing || below.href === ofHost.href) throw error;
        return this.#fetch(ofHost, { headers, signal });
      });
      return await found.json();
    } catch (error) {
      if (!(error instanceof ProviderError) || error.code !== 'malformed') throw error;
      // Nothing will change that by itself.
      throw new ProviderError('not_found', `There is no agent's card: ${error.message}`);
    }
  }
}

/** Streamed where the agent can; one whose card says so and that then can't is asked without. */
async function* events(
  client: Client,
  streams: boolean,
  request: SendMessageRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamResponse> {
  if (streams) {
    try {
      return yield* client.sendMessageStream(request, { signal });
    } catch (error) {
      const code = codeOf(error);
      if (code !== RPC.unsupportedOperation && code !== RPC.methodNotFound) throw error;
    }
  }
  const result = await client.sendMessage(request, { signal });
  yield 'messageId' in result
    ? { payload: { $case: 'message', value: result } }
    : { payload: { $case: 'task', value: result } };
}

/**
 * A task that is to go on, as it is; `unknown` where the agent tells nobody. Undefined where it doesn't wait any more:
 * then all is said anew.
 */
async function taskBefore(
  client: Client,
  { id }: WaitingTask,
  signal: AbortSignal,
): Promise<Task | 'unknown' | undefined> {
  try {
    const task = await client.getTask(getTask(id), { signal });
    return task.status?.state === TaskState.TASK_STATE_INPUT_REQUIRED ? task : undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === RPC.taskNotFound) return undefined;
    if (code === RPC.methodNotFound || code === RPC.unsupportedOperation) return 'unknown';
    throw error;
  }
}

function getTask(id: string) {
  return { tenant: '', id, historyLength: NEWEST_MESSAGES };
}

/** In vain as well as not: nobody waits for it. */
function cancel(client: Client, id: string): void {
  const signal = AbortSignal.timeout(CANCEL_MS);
  client.cancelTask({ tenant: '', id, metadata: undefined }, { signal }).catch(() => {});
}

function requestOf(text: string, waiting: WaitingTask | undefined): SendMessageRequest {
  return {
    tenant: '',
    message: {
      messageId: randomUUID(),
      contextId: waiting?.contextId ?? '',
      taskId: waiting?.id ?? '',
      role: Role.ROLE_USER,
      parts: [
        {
          content: { $case: 'text', value: text },
          metadata: undefined,
          filename: '',
          mediaType: 'text/plain',
        },
      ],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: {
      acceptedOutputModes: ['text/plain', 'text/markdown', 'application/json'],
      taskPushNotificationConfig: undefined,
      historyLength: NEWEST_MESSAGES,
      returnImmediately: false,
    },
    metadata: undefined,
  };
}
