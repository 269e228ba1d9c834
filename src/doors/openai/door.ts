import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { newConversation } from '../../conversation/log/creation.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { BUILT_IN_SCENARIOS, type Scenario } from '../../conversation/scenarios/built-in.ts';
import { findScenario } from '../../conversation/scenarios/store.ts';
import { invalid, notFound } from '../../errors.ts';
import {
  type ChatCompletionRequest,
  chatCompletion,
  chatCompletionRequest,
  modelList,
  openAiError,
} from '../../protocol/chat-completions.ts';
import { creationRequest } from '../../protocol/creation.ts';
import { callerOf } from '../../server/caller.ts';
import type { Connections } from '../../server/connections.ts';
import { createConversation, settingsFor } from '../../server/creation.ts';
import { tellOf } from '../../server/guarding.ts';
import type { ServerParts } from '../../server/parts.ts';
import { failureIn } from '../../server/problem.ts';
import { takeStreamPlace } from '../../server/stream-places.ts';
import { faultsOf } from '../../server/validation.ts';
import { CompletionForm, finishReasonOf } from './completion.ts';
import { FailedCompletion, type Failure, failureOf, knownFailure, unknownModel } from './errors.ts';
import { followToEnd } from './follow.ts';
import { questionIn } from './question.ts';

const PREFIX = 'panel/';
const OWNER = 'ai-conversation-platform';
const FAILURES = {
  400: openAiError,
  404: openAiError,
  413: openAiError,
  429: openAiError,
  502: openAiError,
  503: openAiError,
};

/** The platform as a model: OpenAI's chat completions over the scenarios; docs/protocol.md, section 13.2. */
export async function registerOpenAiDoor(
  scope: FastifyInstance,
  parts: ServerParts,
  connections: Connections,
): Promise<void> {
  await scope.register(
    async (server) => {
      server.setErrorHandler((error, request, reply) => refuse(failureFor(error, request), reply));
      server.setNotFoundHandler((request, reply) =>
        refuse(failureOf(notFound(`There is no ${request.method} ${request.url}`)), reply),
      );
      const app = server.withTypeProvider<ZodTypeProvider>();

      app.get(
        '/models',
        {
          config: { scope: 'conversations:read' },
          schema: {
            operationId: 'listModels',
            summary: 'List the scenarios as models of the OpenAI form',
            tags: ['openai'],
            response: { 200: modelList, 503: openAiError },
          },
        },
        async (request) => {
          const own = await parts.scenarios.list(callerOf(request).tenant);
          const data = [...BUILT_IN_SCENARIOS, ...own].filter(runsAlone).map(({ name }) => ({
            id: PREFIX + name,
            object: 'model' as const,
            created: 0,
            owned_by: OWNER,
          }));
          return { object: 'list' as const, data };
        },
      );

      app.post(
        '/chat/completions',
        {
          config: { scope: 'conversations:write' },
          schema: {
            operationId: 'createChatCompletion',
            summary: 'Run a scenario on the last user message, as a chat completion of the OpenAI form',
            description:
              'Streams the conversation as one assistant message, or with `"metadata": { "answer": "outcome" }` gives only ' +
              'the verdict, the vote or the last message. Closing the connection ends the conversation.',
            tags: ['openai'],
            body: chatCompletionRequest,
            produces: ['application/json', 'text/event-stream'],
            response: { 200: chatCompletion, ...FAILURES },
          },
        },
        async (request, reply) => {
          if (request.body.stream) await takeStreamPlace(parts, request, reply.raw);
          const record = await begin(request, request.body);
          reply.header('x-aic-conversation-id', record.id);
          return request.body.stream
            ? stream(request, request.body, reply, record)
            : answerWhole(request, request.body, reply, record);
        },
      );
    },
    { prefix: '/v1' },
  );

  /** Starts the conversation that a request means. */
  async function begin(
    request: FastifyRequest,
    { model, messages, metadata }: ChatCompletionRequest,
  ): Promise<ConversationRecord> {
    const { tenant } = callerOf(request);
    const name = model.startsWith(PREFIX) ? model.slice(PREFIX.length) : undefined;
    const scenario = name === undefined ? undefined : await findScenario(parts.scenarios, tenant, name);
    if (!scenario || !runsAlone(scenario)) throw new FailedCompletion(unknownModel(model));
    const { answer: _answer, ...labels } = metadata ?? {};
    const asked = creationRequest(parts.maxMessageLength).safeParse({
      ...questionIn(messages, parts.maxMessageLength),
      scenario: scenario.name,
      metadata: labels,
    });
    if (!asked.success) throw invalid(faultsOf(asked.error).map(asItWasAsked));
    const wanted = await settingsFor(asked.data, tenant, parts, tellOf(parts, request));
    const { record } = await createConversation(
      parts,
      { ...wanted, tenant, key: callerOf(request).key, idempotency: null },
      newConversation,
    );
    request.log.info({ conversation_id: record.id }, 'conversation.created');
    return record;
  }

  async function answerWhole(
    request: FastifyRequest,
    { model, metadata }: ChatCompletionRequest,
    reply: FastifyReply,
    started: ConversationRecord,
  ): Promise<FastifyReply> {
    const pieces: string[] = [];
    const finish = await followToEnd(parts, connections, started, {
      answer: metadata?.answer ?? 'transcript',
      caller: callerOf(request),
      wire: reply.raw,
      say: (text) => pieces.push(text),
      beat: () => {},
    });
    if (!finish) return reply.hijack();
    const reason = finish.cut ? 'length' : finishReasonOf(finish.record);
    const form = new CompletionForm(started, model, false);
    return reply.send(form.whole(pieces.join(''), reason, finish.record.usage));
  }

  async function stream(
    request: FastifyRequest,
    { model, metadata, stream_options: options }: ChatCompletionRequest,
    reply: FastifyReply,
    started: ConversationRecord,
  ): Promise<FastifyReply> {
    reply.hijack();
    request.isStreamed = true;
    const { raw } = reply;
    for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, value ?? '');
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx holds back what it gets from a server unless it is told not to.
      'x-accel-buffering': 'no',
    });
    const form = new CompletionForm(started, model, options?.include_usage === true);
    const send = (data: object): void => void raw.write(`data: ${JSON.stringify(data)}\n\n`);
    send(form.first());
    try {
      const finish = await followToEnd(parts, connections, started, {
        answer: metadata?.answer ?? 'transcript',
        caller: callerOf(request),
        wire: raw,
        say: (text) => send(form.piece(text)),
        beat: () => void raw.write(': still here\n\n'),
      });
      if (!finish) {
        raw.destroy();
        return reply;
      }
      const reason = finish.cut ? 'length' : finishReasonOf(finish.record);
      for (const chunk of form.last(reason, finish.record.usage)) send(chunk);
      raw.end('data: [DONE]\n\n');
    } catch (error) {
      send(failureFor(error, request).body);
      raw.end();
    }
    return reply;
  }
}

/** Whether a scenario needs nobody but models: an answer can't wait for a person. */
function runsAlone({ settings }: Scenario): boolean {
  const { agents, approval } = settings;
  const waits = approval !== undefined && approval !== null && approval !== 'none';
  return !waits && !agents?.some(({ provider }) => provider === 'human');
}

/** What the conversation's fields were made from. */
function asItWasAsked({ path, message }: { path: string; message: string }) {
  return { path: path === 'topic' || path === 'openingMessage' ? 'messages' : path, message };
}

function failureFor(error: unknown, request: FastifyRequest): Failure {
  return knownFailure(error) ?? failureOf(failureIn(error, request));
}

function refuse({ status, body, retryAfterSeconds, retryable }: Failure, reply: FastifyReply): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  // https://github.com/openai/openai-node asks again by itself where this doesn't say otherwise.
  if (!retryable) reply.header('x-should-retry', 'false');
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
}
