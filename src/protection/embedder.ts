import type { Embedder } from '../conversation/knowledge/embedder.ts';
import { type DailyBudget, estimateTokens, type Price } from '../conversation/policies/budget.ts';
import type { Lane } from '../conversation/turn/lane.ts';
import { DEFAULT_TENANT } from '../protocol/events.ts';

export interface EmbedderParts {
  /** Tells its vectors from others'. */
  name: string;
  call: Embedder['embed'];
  /** To the model, with which it shares circuit, rates and time limits as any other. */
  lane: () => Lane;
  price: Price | undefined;
  /** Undefined where there is no limit. */
  dailyBudget: DailyBudget | undefined;
}

/** A batch waits no longer for its lane, in milliseconds. */
const PATIENCE_MS = 60_000;

/** A model of embeddings behind what shields all models. */
export function protectedEmbedder({ name, call, lane, price, dailyBudget }: EmbedderParts): Embedder {
  return {
    name,
    async embed(texts, what, signal) {
      const tokens = estimateTokens(texts.join(''));
      return await lane().run(
        async (attempt) => {
          const costUsd = price && (tokens * price.input) / 1e6;
          const reservation = await dailyBudget?.reserve(costUsd);
          try {
            const vectors = await call(texts, what, attempt.signal);
            attempt.firstToken();
            return vectors;
          } finally {
            reservation?.settle(costUsd ?? 0);
          }
        },
        // Passages of several tenants go together, and none has more of them for it.
        { tokens, tenant: DEFAULT_TENANT, whenOpen: 'refuse', deadline: Date.now() + PATIENCE_MS, signal },
      );
    },
  };
}
