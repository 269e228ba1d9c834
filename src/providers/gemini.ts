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

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    const model = vendor.getGenerativeModel(
      {
        model: request.model,
        systemInstruction: request.system,
        generationConfig: {
          temperature: request.temperature,
          maxOutputTokens: request.maxOutputTokens,
          // https://ai.google.dev/gemini-api/docs/structured-output
          ...(request.form && {
            responseMimeType: 'application/json',
            responseJsonSchema: request.form.schema,
          }),
        },
      },
      endpoint,
    );
    const contents = request.messages.map(({ role, content }) => ({
      role: role === 'user' ? 'user' : 'model',
      parts: [{ text: content }],
    }));
    const { stream, response } = await model.generateContentStream({ contents }, { signal });
    // The SDK also gathers the whole answer; nobody waits for that, so its failure must not go unhandled.
    response.catch(() => undefined);
    for await (const chunk of stream) {
      if ('error' in chunk) throw classify(chunk, mask);
      yield chunkOf(chunk);
    }
  }

  return { generate: (request, signal) => answerOf((call) => chunks(request, call), signal, mask) };
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
  if (promptTokenCount === undefined) return undefined;
  return { inputTokens: promptTokenCount, outputTokens: candidatesTokenCount + thoughtsTokenCount };
}
