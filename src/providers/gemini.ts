import {
  type EnhancedGenerateContentResponse,
  GoogleGenerativeAI,
  type UsageMetadata,
} from '@google/generative-ai';
import {
  type FinishReason,
  type GenerateRequest,
  type Provider,
  ProviderError,
} from '../conversation/turn/provider.ts';
import { answerOf, type Chunk, type Usage } from './answer.ts';
import { classify } from './classify.ts';
import { Refusals, refusalIn } from './refusals.ts';

const REFUSALS = new Set(['SAFETY', 'RECITATION', 'LANGUAGE', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII']);
const FINISHES = new Map<string, FinishReason>([
  ['STOP', 'stop'],
  ['MAX_TOKENS', 'length'],
]);

/**
 * A provider that speaks Google's generateContent, streamed. Without a key Google refuses every call;
 * `baseUrl` undefined means Google's own; `mask` takes keys out of the messages of errors.
 *
 * Of @google/generative-ai 0.24.1: it decodes with a TextDecoderStream and waits for whole events, so
 * splits inside a character or a line are harmless (the tests cut after every byte). Two limits stay:
 * a raw U+2028 or U+2029 inside an event, which Google's own servers escape, ends as `malformed`, and
 * a Retry-After header is lost, so that the wait comes from the RetryInfo in the body alone.
 */
export function geminiProvider(options: {
  apiKey: string | undefined;
  baseUrl: string | undefined;
  mask: (text: string) => string;
}): Provider {
  const { apiKey, baseUrl, mask } = options;
  const vendor = new GoogleGenerativeAI(apiKey ?? '');
  const endpoint = baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, '') };

  const refusals = new Refusals<Optional>();

  const open = (request: GenerateRequest, signal: AbortSignal) =>
    refusals.ask(
      request.model,
      (left) => {
        const { model, contents } = callOf(request, left);
        return vendor.getGenerativeModel(model, endpoint).generateContentStream({ contents }, { signal });
      },
      (error, left) => refusedIn(error, request, left),
    );

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    const { stream, response } = await open(request, signal);
    // The SDK also gathers the whole answer; nobody waits for that, so its failure must not go unhandled.
    response.catch(() => undefined);
    for await (const chunk of stream) {
      // What is sent isn't always what the SDK's types promise.
      if (Object(chunk).error) throw classify(chunk, mask);
      yield chunkOf(Object(chunk));
    }
  }

  return { generate: (request, signal) => answerOf((call) => chunks(request, call), signal, mask) };
}

/** What a call can do without, or say in another way. */
type Optional = 'system' | 'temperature' | 'schema';

function callOf(request: GenerateRequest, left: ReadonlySet<Optional>) {
  const { system, messages, form } = request;
  const [first, ...more] = messages;
  const spoken = left.has('system')
    ? [{ role: 'user' as const, content: first ? `${system}\n\n${first.content}` : system }, ...more]
    : messages;
  return {
    model: {
      model: request.model,
      ...(!left.has('system') && { systemInstruction: system }),
      generationConfig: {
        ...(!left.has('temperature') && { temperature: request.temperature }),
        maxOutputTokens: request.maxOutputTokens,
        // https://ai.google.dev/gemini-api/docs/structured-output
        ...(form &&
          !left.has('schema') && { responseMimeType: 'application/json', responseJsonSchema: form.schema }),
      },
    },
    contents: spoken.map(({ role, content }) => ({
      role: role === 'user' ? 'user' : 'model',
      parts: [{ text: content }],
    })),
  };
}

/** Gemma has no place for a system message, which Google calls a developer instruction; a schema goes unnamed. */
function refusedIn(
  error: unknown,
  { form }: GenerateRequest,
  left: ReadonlySet<Optional>,
): Optional | undefined {
  const said = refusalIn(error);
  if (said === undefined) return undefined;
  if (/(?:system|developer)[ _]?instruction/i.test(said)) return 'system';
  if (/temperature/i.test(said)) return 'temperature';
  return form && !left.has('schema') ? 'schema' : undefined;
}

function chunkOf({ candidates, promptFeedback, usageMetadata }: EnhancedGenerateContentResponse): Chunk {
  if (promptFeedback?.blockReason) {
    const { blockReason, blockReasonMessage } = promptFeedback;
    throw new ProviderError(
      'content_refused',
      blockReasonMessage ?? `Gemini blocked the prompt: ${blockReason}`,
    );
  }
  const candidate = candidates?.[0];
  const reason = candidate?.finishReason;
  if (reason && REFUSALS.has(reason)) {
    throw new ProviderError('content_refused', candidate.finishMessage ?? `Gemini stopped: ${reason}`);
  }
  if (reason && !FINISHES.has(reason)) {
    throw new ProviderError('malformed', candidate.finishMessage ?? `Gemini stopped: ${reason}`);
  }
  return {
    text: partsOf(candidate).map(textOf).join(''),
    thought: partsOf(candidate).map(thoughtOf).join(''),
    finishReason: reason && FINISHES.get(reason),
    usage: usageMetadata && usageOf(usageMetadata),
  };
}

function partsOf(candidate: { content?: { parts?: unknown } } | undefined): unknown[] {
  const parts = candidate?.content?.parts;
  return Array.isArray(parts) ? parts : [];
}

function textOf(part: unknown): string {
  const { text, thought } = Object(part) as { text?: unknown; thought?: unknown };
  return typeof text === 'string' && thought !== true ? text : '';
}

function thoughtOf(part: unknown): string {
  const { text, thought } = Object(part) as { text?: unknown; thought?: unknown };
  return typeof text === 'string' && thought === true ? text : '';
}

/** Newer than the SDK's types: thinking is counted apart from the candidates. */
function usageOf(usage: Partial<UsageMetadata> & { thoughtsTokenCount?: number }): Usage | undefined {
  const { promptTokenCount, candidatesTokenCount = 0, thoughtsTokenCount = 0 } = usage;
  if (typeof promptTokenCount !== 'number') return undefined;
  return { inputTokens: promptTokenCount, outputTokens: candidatesTokenCount + thoughtsTokenCount };
}
