import OpenAI, { APIError } from 'openai';
import { withoutCustomHeaders } from '../config/environment.ts';
import type { AnswerForm } from '../conversation/asking/question.ts';
import {
  type FinishReason,
  type GenerateRequest,
  type Provider,
  ProviderError,
} from '../conversation/turn/provider.ts';
import { answerOf, type Chunk, type Usage } from './answer.ts';
import { fetchStreamed } from './fetch.ts';

/** How a vendor's chat completions differ from the others'. */
export interface OpenAiDialect {
  /** Where the vendor is when nothing else is configured. */
  baseUrl: string;
  tokensParameter: 'max_tokens' | 'max_completion_tokens';
  /** Whether usage must be asked for with `stream_options`; who doesn't take that sends it unasked. */
  asksForUsage: boolean;
  maxTemperature: number;
  /** Models known to refuse every temperature but their own. */
  fixedTemperature: RegExp | undefined;
}

export const OPENAI_DIALECTS = {
  chatgpt: {
    baseUrl: 'https://api.openai.com/v1',
    tokensParameter: 'max_completion_tokens',
    asksForUsage: true,
    maxTemperature: 2,
    fixedTemperature: /^(?:o\d|gpt-[5-9])/,
  },
  grok: {
    baseUrl: 'https://api.x.ai/v1',
    tokensParameter: 'max_tokens',
    asksForUsage: true,
    maxTemperature: 2,
    fixedTemperature: undefined,
  },
  perplexity: {
    baseUrl: 'https://api.perplexity.ai',
    tokensParameter: 'max_tokens',
    asksForUsage: false,
    // Below 2, not up to it: https://docs.perplexity.ai/api-reference/chat-completions-post
    maxTemperature: 1.99,
    fixedTemperature: undefined,
  },
  local: {
    // Ollama's port.
    baseUrl: 'http://127.0.0.1:11434/v1',
    tokensParameter: 'max_tokens',
    asksForUsage: true,
    maxTemperature: 2,
    fixedTemperature: undefined,
  },
} as const satisfies Record<string, OpenAiDialect>;

/**
 * A provider that speaks OpenAI's chat completions, streamed. `apiKey` undefined sends no key at all;
 * `baseUrl` undefined means the dialect's; `mask` takes keys out of the messages of errors. Of the
 * variables that the SDK reads from the environment by itself (key, organization, project, base URL,
 * headers, logging) none has an effect.
 */
export function openAiProvider(options: {
  apiKey: string | undefined;
  baseUrl: string | undefined;
  mask: (text: string) => string;
  dialect: OpenAiDialect;
}): Provider {
  const { apiKey, baseUrl, mask, dialect } = options;
  const client = new OpenAI({
    // The SDK won't start without a key; the header below takes this one out again.
    apiKey: apiKey ?? 'none',
    baseURL: baseUrl ?? dialect.baseUrl,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    defaultHeaders: {
      ...withoutCustomHeaders('OPENAI_CUSTOM_HEADERS'),
      Authorization: apiKey === undefined ? null : `Bearer ${apiKey}`,
    },
    fetch: fetchStreamed,
    maxRetries: 0,
    logLevel: 'off',
  });
  const fixedTemperature = new Set<string>();
  const schemaless = new Set<string>();

  /**
   * Asks again without a temperature, or without a schema, once each, when the model refuses it: a name alone
   * doesn't tell.
   */
  async function open(request: GenerateRequest, signal: AbortSignal) {
    let wasRefused = false;
    for (;;) {
      const withTemperature =
        !fixedTemperature.has(request.model) && !dialect.fixedTemperature?.test(request.model);
      const withSchema = request.form !== undefined && !wasRefused && !schemaless.has(request.model);
      try {
        const body = bodyOf(request, dialect, { withTemperature, withSchema });
        const answer = await client.chat.completions.create(body, { signal });
        // Only now is it known that it was the schema, and not, say, the length of the prompt.
        if (wasRefused) schemaless.add(request.model);
        return answer;
      } catch (error) {
        if (withTemperature && refusesTemperature(error)) fixedTemperature.add(request.model);
        else if (withSchema && mayRefuseSchema(error)) wasRefused = true;
        else throw error;
      }
    }
  }

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    let refusal = '';
    for await (const { choices, usage } of await open(request, signal)) {
      // The chunk with the usage has no choice in it, and with some servers not even the list.
      const choice = choices?.[0];
      refusal += choice?.delta.refusal ?? '';
      const finish = choice?.finish_reason;
      if (finish === 'content_filter' || (finish && refusal !== '')) {
        throw new ProviderError(
          'content_refused',
          refusal || "The vendor's content filter stopped the answer",
        );
      }
      yield {
        text: choice?.delta.content ?? undefined,
        finishReason: finish ? finishReasonOf(finish) : undefined,
        usage: usage ? usageOf(usage) : undefined,
      };
    }
  }

  return { generate: (request, signal) => answerOf((call) => chunks(request, call), signal, mask) };
}

/** https://platform.openai.com/docs/guides/structured-outputs */
function formatOf({ kind, schema }: AnswerForm) {
  return { type: 'json_schema' as const, json_schema: { name: kind, schema, strict: true } };
}

function bodyOf(
  request: GenerateRequest,
  dialect: OpenAiDialect,
  how: { withTemperature: boolean; withSchema: boolean },
) {
  return {
    model: request.model,
    messages: [{ role: 'system' as const, content: request.system }, ...request.messages],
    stream: true as const,
    [dialect.tokensParameter]: request.maxOutputTokens,
    ...(how.withTemperature && { temperature: Math.min(request.temperature, dialect.maxTemperature) }),
    ...(dialect.asksForUsage && { stream_options: { include_usage: true } }),
    ...(how.withSchema && request.form && { response_format: formatOf(request.form) }),
  };
}

function refusesTemperature(error: unknown): boolean {
  return error instanceof APIError && error.status === 400 && error.param === 'temperature';
}

/** Servers name the parameter or not; a schema is the one thing in these calls that many of them don't know. */
function mayRefuseSchema(error: unknown): boolean {
  return error instanceof APIError && (error.status === 400 || error.status === 422);
}

function finishReasonOf(reason: string): FinishReason {
  return reason === 'length' ? 'length' : 'stop';
}

/** xAI leaves thinking out of `completion_tokens`; only the total has it. */
function usageOf(usage: OpenAI.CompletionUsage): Usage | undefined {
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
  if (!Number.isFinite(input) || !Number.isFinite(output)) return undefined;
  return { inputTokens: input, outputTokens: Math.max(output, (total ?? 0) - input) };
}
