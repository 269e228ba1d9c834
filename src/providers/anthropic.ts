import Anthropic from '@anthropic-ai/sdk';
import { withoutCustomHeaders } from '../config/environment.ts';
import { type GenerateRequest, type Provider, ProviderError } from '../conversation/turn/provider.ts';
import { answerOf, type Chunk, type Usage } from './answer.ts';
import { fetchStreamed, hooksOf } from './fetch.ts';
import { Refusals, refusalIn } from './refusals.ts';

/**
 * Anthropic took the temperature out of its API: the version that this SDK speaks (2026-10-21) refuses
 * the parameter whatever its value, and so does every model since Claude Opus 4.7. These older ones keep
 * it in the version before; the list is closed, since no new model will have it.
 */
const MODELS_WITH_TEMPERATURE = /^claude-(?:2|3|instant|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-\d{8})?$)/;
const VERSION_WITH_TEMPERATURE = '2023-06-01';

/**
 * A provider that speaks Anthropic's messages, streamed. Without a key Anthropic refuses every call;
 * `baseUrl` undefined means Anthropic's own; `mask` takes keys out of the messages of errors. The
 * temperature is cut to 1, the most that Anthropic takes, and left out for models without one. Of the
 * variables that the SDK reads from the environment by itself (tokens, profiles, headers, tracing,
 * logging) none has an effect.
 */
export function anthropicProvider(options: {
  apiKey: string | undefined;
  baseUrl: string | undefined;
  mask: (text: string) => string;
}): Provider {
  // Undefined would send the SDK looking for other credentials on this machine.
  const { apiKey = '', baseUrl, mask } = options;
  const client = new Anthropic({
    apiKey,
    baseURL: baseUrl ?? 'https://api.anthropic.com',
    webhookKey: null,
    defaultHeaders: {
      ...withoutCustomHeaders('ANTHROPIC_CUSTOM_HEADERS'),
      Authorization: `Bearer ${apiKey}`,
    },
    fetch: fetchStreamed(asEvents),
    maxRetries: 0,
    logLevel: 'off',
    openTelemetry: false,
  });

  const refusals = new Refusals<Optional>();

  const open = (request: GenerateRequest, signal: AbortSignal) =>
    refusals.ask(
      request.model,
      (left) => {
        const withTemperature = takesTemperature(request.model, left);
        return client.messages.create(bodyOf(request, withTemperature, left), {
          signal,
          fetchOptions: hooksOf(request),
          ...(withTemperature && { headers: { 'anthropic-version': VERSION_WITH_TEMPERATURE } }),
        });
      },
      (error, left) => refusedIn(error, request, left),
    );

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    let counted: Counted = {};
    for await (const event of await open(request, signal)) {
      // What is sent isn't always what the SDK's types promise.
      const { type, message, content_block: block, delta, usage } = event as Sent;
      if (type === 'message_start') counted = known(message?.usage);
      else if (type === 'content_block_start') yield partOf(block?.type, block);
      else if (type === 'content_block_delta') yield partOf(delta?.type?.replace(/_delta$/, ''), delta);
      else if (type === 'message_delta') {
        if (delta?.stop_reason === 'refusal') throw refusalOf(delta.stop_details?.explanation);
        counted = { ...counted, ...known(usage) };
        yield { finishReason: finishReasonOf(delta?.stop_reason), usage: usageOf(counted) };
      }
    }
  }

  return { generate: (request, signal) => answerOf((call) => chunks(request, call), signal, mask) };
}

/** What a call can do without. */
type Optional = 'temperature' | 'schema';

function takesTemperature(model: string, left: ReadonlySet<Optional>): boolean {
  return MODELS_WITH_TEMPERATURE.test(model) && !left.has('temperature');
}

/** A schema is the one thing in these calls that is refused without being named. */
function refusedIn(
  error: unknown,
  { model, form }: GenerateRequest,
  left: ReadonlySet<Optional>,
): Optional | undefined {
  const said = refusalIn(error);
  if (said === undefined) return undefined;
  if (takesTemperature(model, left) && /temperature/i.test(said)) return 'temperature';
  return form && !left.has('schema') ? 'schema' : undefined;
}

/** What of an event is looked at, none of it certain to be there. */
interface Sent {
  type: string;
  message?: { usage?: unknown } | null;
  content_block?: Part | null;
  delta?: (Part & { stop_reason?: string | null; stop_details?: { explanation?: string } | null }) | null;
  usage?: unknown;
}

interface Part {
  type?: string;
  text?: unknown;
  thinking?: unknown;
}

/** Text where it is one; anything else adds nothing. */
function partOf(type: string | undefined, part: Part | null | undefined): Chunk {
  if (type === 'text' && typeof part?.text === 'string') return { text: part.text };
  if (type === 'thinking' && typeof part?.thinking === 'string') return { thought: part.thinking };
  return {};
}

function bodyOf(request: GenerateRequest, withTemperature: boolean, left: ReadonlySet<Optional>) {
  return {
    model: request.model,
    system: request.system,
    messages: [...request.messages],
    max_tokens: request.maxOutputTokens,
    stream: true as const,
    // https://docs.claude.com/en/docs/build-with-claude/structured-outputs
    ...(request.form &&
      !left.has('schema') && {
        output_config: { format: { type: 'json_schema' as const, schema: request.form.schema } },
      }),
    ...(withTemperature && { temperature: Math.min(request.temperature, 1) }),
  };
}

function refusalOf(explanation: string | undefined): ProviderError {
  return new ProviderError('content_refused', explanation ?? 'Claude refused to answer');
}

function finishReasonOf(reason: string | null | undefined): Chunk['finishReason'] {
  if (typeof reason !== 'string') return undefined;
  const known = FINISHES.get(reason);
  if (known) return known;
  throw new ProviderError('server_error', `Claude stopped the answer: ${reason.slice(0, 100)}`);
}

/** https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons */
const FINISHES = new Map<string, Chunk['finishReason']>([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
]);

/** A whole message as the events of a streamed one. */
function asEvents(whole: unknown): readonly unknown[] | undefined {
  const message = Object(whole) as Partial<Anthropic.Message>;
  if (message.type !== 'message' || !Array.isArray(message.content)) return undefined;
  const { content, stop_reason, usage } = message;
  return [
    { type: 'message_start', message },
    ...content.map((content_block, index) => ({ type: 'content_block_start', index, content_block })),
    { type: 'message_delta', delta: { stop_reason }, usage },
    { type: 'message_stop' },
  ];
}

type Counted = Partial<
  Record<'input_tokens' | 'output_tokens' | 'cache_creation_input_tokens' | 'cache_read_input_tokens', number>
>;

/** The counts of a message_delta are totals, but null where nothing changed since message_start. */
function known(usage: unknown): Counted {
  return Object.fromEntries(Object.entries(Object(usage)).filter(([, count]) => typeof count === 'number'));
}

/** `input_tokens` counts only what came neither from nor went to the cache. */
function usageOf(counted: Counted): Usage | undefined {
  const { input_tokens: input, output_tokens: outputTokens } = counted;
  if (input === undefined || outputTokens === undefined) return undefined;
  const cached = (counted.cache_creation_input_tokens ?? 0) + (counted.cache_read_input_tokens ?? 0);
  return { inputTokens: input + cached, outputTokens };
}
