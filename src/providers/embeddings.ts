import { ProviderError } from '../conversation/turn/provider.ts';
import type { Secret } from '../security/secrets.ts';
import { classify } from './classify.ts';

export type EmbeddingProvider = 'chatgpt' | 'gemini' | 'local';

/** What is asked where the configuration names no model; undefined where only the configuration can know. */
export const EMBEDDING_MODELS: Readonly<Record<EmbeddingProvider, string | undefined>> = {
  chatgpt: 'text-embedding-3-small',
  gemini: 'gemini-embedding-001',
  local: undefined,
};

export interface EmbeddingSettings {
  provider: EmbeddingProvider;
  model: string;
  /** Undefined: as many as the model gives. */
  dimensions: number | undefined;
  apiKey: Secret | undefined;
  baseUrl: string | undefined;
}

/** One call of the vendor. */
export type EmbeddingCall = (
  texts: readonly string[],
  what: 'passages' | 'question',
  signal: AbortSignal,
) => Promise<Float32Array[]>;

/**
 * Calls a model of embeddings once for each list of texts. The vendor's SDK is loaded with the first call.
 *
 * @param mask takes keys out of the messages of errors
 * @returns a call that throws ProviderError, `malformed` for vectors that are not what was asked for, or the signal's
 * reason
 */
export function embeddingCall(settings: EmbeddingSettings, mask: (text: string) => string): EmbeddingCall {
  const asked = settings.provider === 'gemini' ? gemini(settings) : openAi(settings);
  return async (texts, what, signal) => {
    let vectors: number[][];
    try {
      vectors = await (await asked)(texts, what, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw classify(error, mask);
    }
    assertVectors(vectors, texts.length, settings.dimensions);
    return vectors.map((vector) => Float32Array.from(vector));
  };
}

type Ask = (
  texts: readonly string[],
  what: 'passages' | 'question',
  signal: AbortSignal,
) => Promise<number[][]>;

/** https://platform.openai.com/docs/api-reference/embeddings */
async function openAi({ provider, model, dimensions, apiKey, baseUrl }: EmbeddingSettings): Promise<Ask> {
  const { openAiClient } = await import('./openai.ts');
  const client = openAiClient({
    apiKey: apiKey?.reveal(),
    baseUrl,
    dialect: provider === 'local' ? 'local' : 'chatgpt',
    fetch: globalThis.fetch,
  });
  return async (texts, _what, signal) => {
    const body = {
      model,
      input: [...texts],
      encoding_format: 'float' as const,
      ...(dimensions === undefined ? {} : { dimensions }),
    };
    const { data } = await client.embeddings.create(body, { signal });
    return data.toSorted((one, other) => one.index - other.index).map(({ embedding }) => embedding);
  };
}

/** https://ai.google.dev/api/embeddings; its SDK doesn't know `outputDimensionality` and sends it all the same. */
async function gemini({ model, dimensions, apiKey, baseUrl }: EmbeddingSettings): Promise<Ask> {
  const { GoogleGenerativeAI, TaskType } = await import('@google/generative-ai');
  const endpoint = baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, '') };
  const vendor = new GoogleGenerativeAI(apiKey?.reveal() ?? '').getGenerativeModel({ model }, endpoint);
  return async (texts, what, signal) => {
    const taskType = what === 'question' ? TaskType.RETRIEVAL_QUERY : TaskType.RETRIEVAL_DOCUMENT;
    const requests = texts.map((text) => ({
      content: { role: 'user', parts: [{ text }] },
      taskType,
      ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    }));
    const { embeddings } = await vendor.batchEmbedContents({ requests }, { signal });
    return embeddings.map(({ values }) => values);
  };
}

function assertVectors(vectors: unknown, count: number, dimensions: number | undefined): void {
  const all = Array.isArray(vectors) ? (vectors as unknown[]) : [];
  const length = dimensions ?? (Array.isArray(all[0]) ? all[0].length : 0);
  const areWhole = all.every(
    (vector) => Array.isArray(vector) && vector.length === length && vector.every(Number.isFinite),
  );
  if (all.length === count && length > 0 && areWhole) return;
  throw new ProviderError(
    'malformed',
    `The vendor gave ${all.length} vectors for ${count} texts, or not all of ${length} numbers`,
  );
}
