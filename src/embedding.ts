import type { Config } from './config/config.ts';
import type { Embedder } from './conversation/knowledge/embedder.ts';
import type { DailyBudget, Price } from './conversation/policies/budget.ts';
import type { Lane } from './conversation/turn/lane.ts';
import type { EmbeddingOptions } from './knowledge/local.ts';
import { protectedEmbedder } from './protection/embedder.ts';
import { EMBEDDING_MODELS, type EmbeddingSettings, embeddingCall } from './providers/embeddings.ts';

/** What is there only after the storage is: asked for with each call. */
interface Later {
  laneTo: (provider: string, model: string) => Lane;
  priceOf: (provider: string, model: string) => Price | undefined;
  dailyBudget: () => DailyBudget | undefined;
  onFailure: (error: unknown, retryInMs: number) => void;
}

/** What EMBEDDINGS_PROVIDER and its like configure; without it nothing. */
export function configuredEmbedding(
  config: Config,
  mask: (text: string) => string,
  later: Later,
): EmbeddingOptions {
  const settings = settingsOf(config);
  if (!settings) return {};
  const { provider, model, dimensions } = settings;
  const call = embeddingCall(settings, mask);
  const embedder: Embedder = {
    name: [provider, model, dimensions ?? ''].join('/'),
    embed: (texts, what, signal) =>
      protectedEmbedder({
        name: embedder.name,
        call,
        lane: () => later.laneTo(provider, model),
        price: later.priceOf(provider, model),
        dailyBudget: later.dailyBudget(),
      }).embed(texts, what, signal),
  };
  return { embedder, onEmbeddingFailure: later.onFailure, vectorUrl: config.VECTOR_URL?.reveal() };
}

function settingsOf(config: Config): EmbeddingSettings | undefined {
  const { EMBEDDINGS_PROVIDER: provider, EMBEDDINGS_DIMENSIONS: dimensions } = config;
  if (!provider) return undefined;
  const model = config.EMBEDDINGS_MODEL ?? EMBEDDING_MODELS[provider] ?? '';
  const { OPENAI_API_KEY, OPENAI_BASE_URL, GOOGLE_API_KEY, GEMINI_API_KEY, GEMINI_BASE_URL } = config;
  const access = {
    chatgpt: { apiKey: OPENAI_API_KEY, baseUrl: OPENAI_BASE_URL },
    gemini: { apiKey: GOOGLE_API_KEY ?? GEMINI_API_KEY, baseUrl: GEMINI_BASE_URL },
    local: { apiKey: config.LOCAL_API_KEY, baseUrl: config.LOCAL_BASE_URL },
  }[provider];
  return { provider, model, dimensions, ...access };
}
