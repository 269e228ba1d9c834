import OpenAI from 'openai';
import { withoutCustomHeaders } from '../config/environment.ts';
import type { AnswerForm } from '../conversation/asking/question.ts';
import {
  type FinishReason,
  type GenerateRequest,
  type PromptMessage,
  type Provider,
  ProviderError,
} from '../conversation/turn/provider.ts';
import { answerOf, type Chunk, type Usage } from './answer.ts';
import { fetchStreamed, hooksOf } from './fetch.ts';
import { Refusals, refusalIn } from './refusals.ts';

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

/** An SDK's client that heeds nothing of the environment; the dialect's name stands for its base URL. */
export function openAiClient(options: {
  apiKey: string | undefined;
  baseUrl: string | undefined;
  dialect: keyof typeof OPENAI_DIALECTS | OpenAiDialect;
  fetch: typeof globalThis.fetch;
}): OpenAI {
  const { apiKey, baseUrl, dialect, fetch } = options;
  const { baseUrl: usual } = typeof dialect === 'string' ? OPENAI_DIALECTS[dialect] : dialect;
  return new OpenAI({
    // The SDK won't start without a key; the header below takes this one out again.
    apiKey: apiKey ?? 'none',
    baseURL: baseUrl ?? usual,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    defaultHeaders: {
      ...withoutCustomHeaders('OPENAI_CUSTOM_HEADERS'),
      Authorization: apiKey === undefined ? null : `Bearer ${apiKey}`,
    },
    fetch,
    maxRetries: 0,
    logLevel: 'off',
  });
}

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
  const client = openAiClient({ apiKey, baseUrl, dialect, fetch: fetchStreamed(asEvents) });
  const refusals = new Refusals<Optional>();

  const open = (request: GenerateRequest, signal: AbortSignal) =>
    refusals.ask(
      request.model,
      (left) =>
        client.chat.completions.create(bodyOf(request, dialect, left), {
          signal,
          fetchOptions: hooksOf(request),
        }),
      (error, left) => refusedIn(error, request, dialect, left),
    );

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    let refusal = '';
    for await (const { choices, usage } of await open(request, signal)) {
      // The chunk with the usage has no choice in it, and with some servers not even the list.
      const choice: Partial<OpenAI.ChatCompletionChunk.Choice> | undefined = choices?.[0];
      const delta: Delta | null | undefined = choice?.delta;
      refusal += textOf(delta?.refusal);
      const finish = choice?.finish_reason;
      if (finish === 'content_filter' || (finish && refusal !== '')) {
        throw new ProviderError(
          'content_refused',
          refusal || "The vendor's content filter stopped the answer",
        );
      }
      yield {
        text: textOf(delta?.content),
        thought: textOf(delta?.reasoning_content) || textOf(delta?.reasoning),
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

/** What a call can do without, or say in another way. */
type Optional = 'stream_options' | 'temperature' | 'tokens' | 'any tokens' | 'system' | 'schema';

function bodyOf(request: GenerateRequest, dialect: OpenAiDialect, left: ReadonlySet<Optional>) {
  const { model, system, messages, form } = request;
  const tokensParameter = left.has('tokens') ? SIBLINGS[dialect.tokensParameter] : dialect.tokensParameter;
  const withTemperature = !left.has('temperature') && !dialect.fixedTemperature?.test(model);
  return {
    model,
    messages: left.has('system')
      ? withSystemInFront(system, messages)
      : [{ role: 'system' as const, content: system }, ...messages],
    stream: true as const,
    ...(!left.has('any tokens') && { [tokensParameter]: request.maxOutputTokens }),
    ...(withTemperature && { temperature: Math.min(request.temperature, dialect.maxTemperature) }),
    ...(dialect.asksForUsage && !left.has('stream_options') && { stream_options: { include_usage: true } }),
    ...(form && !left.has('schema') && { response_format: formatOf(form) }),
  };
}

const SIBLINGS = { max_tokens: 'max_completion_tokens', max_completion_tokens: 'max_tokens' } as const;

/** As a part of the first message, which is the user's. */
function withSystemInFront(system: string, [first, ...more]: GenerateRequest['messages']): PromptMessage[] {
  return [{ role: 'user', content: first ? `${system}\n\n${first.content}` : system }, ...more];
}

/**
 * What of a call it was that a model refused, which servers name in a parameter, a message or a list of faults;
 * undefined where it was something else. A schema is the one thing in these calls that many refuse without naming it.
 */
function refusedIn(
  error: unknown,
  { model, form }: GenerateRequest,
  dialect: OpenAiDialect,
  left: ReadonlySet<Optional>,
): Optional | undefined {
  const said = refusalIn(error);
  if (said === undefined) return undefined;
  const { tokensParameter } = dialect;
  const wasSent: Record<Optional, boolean> = {
    stream_options: dialect.asksForUsage && /stream_options|include_usage/.test(said),
    temperature: !dialect.fixedTemperature?.test(model) && /temperature/i.test(said),
    tokens: said.includes(tokensParameter),
    'any tokens': left.has('tokens') && said.includes(SIBLINGS[tokensParameter]),
    system:
      /\bsystem\b.{0,30}\b(?:role|message|prompt|instruction)|\brole\b.{0,60}\bsystem\b|developer instruction/is.test(
        said,
      ),
    schema: form !== undefined,
  };
  return (Object.keys(wasSent) as Optional[]).find((name) => wasSent[name] && !left.has(name));
}

/** https://platform.openai.com/docs/api-reference/chat/object, and what servers of its form say instead. */
const FINISHES = new Map<string, FinishReason>([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
  ['end_turn', 'stop'],
  ['length', 'length'],
  ['max_tokens', 'length'],
]);

/** @throws ProviderError for one that isn't known to be good */
function finishReasonOf(reason: string): FinishReason {
  const known = FINISHES.get(reason);
  if (known) return known;
  throw new ProviderError('server_error', `The vendor stopped the answer: ${reason.slice(0, 100)}`);
}

/** As servers send it: texts, or lists of parts with texts. */
interface Delta {
  content?: unknown;
  refusal?: unknown;
  reasoning_content?: unknown;
  reasoning?: unknown;
}

/** Text where it is one, or a list of text parts; anything else adds nothing. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: unknown) => (isTextPart(part) ? part.text : '')).join('');
}

function isTextPart(part: unknown): part is { text: string } {
  return typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string';
}

/** A whole completion as the chunks of a streamed one. */
function asEvents(whole: unknown): readonly unknown[] | undefined {
  const { choices, usage, error } = Object(whole) as { choices?: unknown; usage?: unknown; error?: unknown };
  if (!Array.isArray(choices) || error) return undefined;
  const chunks = choices.map((choice: unknown) => {
    const { message, delta, ...rest } = Object(choice) as { message?: unknown; delta?: unknown };
    return { ...rest, delta: message ?? delta };
  });
  return [{ choices: chunks, usage }];
}

/** xAI leaves thinking out of `completion_tokens`; only the total has it. */
function usageOf(usage: OpenAI.CompletionUsage): Usage | undefined {
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
  if (!Number.isFinite(input) || !Number.isFinite(output)) return undefined;
  return { inputTokens: input, outputTokens: Math.max(output, (total ?? 0) - input) };
}
