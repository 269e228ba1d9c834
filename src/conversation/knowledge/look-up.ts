import { type KnowledgeUse, USUAL_PASSAGES } from '../../protocol/knowledge.ts';
import type { ContextMessage } from '../log/log.ts';
import type { ConversationSettings } from '../log/settings.ts';
import { type Guard, type GuardFinding, together } from '../stages/guard.ts';
import type { Found, FoundPassage, PassageSearch, Shown } from './knowledge.ts';
import { inTurn, questionsFor } from './question.ts';
import { shownPassages } from './shown.ts';

/** What a lookup took and brought. */
export interface LookedUp {
  collections: readonly string[];
  passages: number;
  degraded: boolean;
  /** A collection could not be searched. */
  failed: boolean;
  milliseconds: number;
}

export interface LookUpParts {
  knowledge: PassageSearch;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  observe: (lookedUp: LookedUp) => void;
  /** What looks at passages before an agent is shown them; undefined where everything is off. */
  guard: Guard | undefined;
}

/** A turn waits no longer for its passages, in milliseconds. */
const WITHIN_MS = 10_000;

/** What an agent looks up: what all do, and its own; where both name a collection, its own way counts. */
export function usesOf({ knowledge = [], agents }: ConversationSettings, speaker: number): KnowledgeUse[] {
  const own = agents[speaker]?.knowledge ?? [];
  const names = new Set(own.map(({ collection }) => collection));
  return [...own, ...knowledge.filter(({ collection }) => !names.has(collection))];
}

/**
 * Looks up passages for a turn, in all collections at the same time. What can't be searched is left out and said:
 * no turn fails for it.
 *
 * @param recent what the agent may see, in order
 * @throws the signal's reason
 */
export async function lookUp(
  { knowledge, elapsed, observe, guard }: LookUpParts,
  uses: readonly KnowledgeUse[],
  { tenant, topic, recent }: { tenant: string; topic: string; recent: readonly ContextMessage[] },
  signal: AbortSignal,
): Promise<Shown> {
  const startedAt = elapsed();
  const questions = questionsFor(topic, recent);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
  const searches = await Promise.all(
    uses.map(async ({ collection, passages = USUAL_PASSAGES, minScore = 0 }) => {
      try {
        const options = { limit: passages, signal: bounded };
        const found = await Promise.all(
          questions.map((question) => knowledge.search(tenant, collection, question, options)),
        );
        return {
          collection,
          passages,
          minScore,
          found: found.map((each) => each ?? NOTHING_FOUND),
          failed: false,
        };
      } catch {
        signal.throwIfAborted();
        return { collection, passages, minScore, found: [{ items: [], degraded: true }], failed: true };
      }
    }),
  );
  const best = searches
    .flatMap(({ collection, passages, minScore, found }) =>
      inTurn(found.map(({ items }) => items.filter(({ score }) => score >= minScore)))
        .slice(0, passages)
        .map(({ passage, worth }) => ({ passage: { ...passage, collection }, worth })),
    )
    // Stable: what is as good stays in the order in which it was asked for.
    .sort((one, other) => other.worth - one.worth)
    .map(({ passage }): FoundPassage => passage);
  const degraded = searches.some(({ found }) => found.some((each) => each.degraded));
  const failed = searches.some((search) => search.failed);
  const { passages: allowed, found } = guard
    ? await guarded(guard, best, signal)
    : { passages: best, found: [] };
  const shown = { ...shownPassages(allowed, degraded, failed), found };
  observe({
    collections: uses.map(({ collection }) => collection),
    passages: shown.passages.length,
    degraded,
    failed,
    milliseconds: elapsed() - startedAt,
  });
  return shown;
}

/** Passages as guards let them pass; what is blocked is left out, and stands in what was found. */
async function guarded(
  guard: Guard,
  passages: readonly FoundPassage[],
  signal: AbortSignal,
): Promise<{ passages: FoundPassage[]; found: readonly GuardFinding[] }> {
  const looks = await Promise.all(
    passages.map(async (passage) => {
      const title = await guard.look(passage.title, signal);
      const text = await guard.look(passage.text, signal);
      const isBlocked = title.isBlocked || text.isBlocked;
      return { passage, title, text, isBlocked };
    }),
  );
  return {
    passages: looks
      .filter(({ isBlocked }) => !isBlocked)
      .map(({ passage, title, text }) => ({ ...passage, title: title.text, text: text.text })),
    found: together(...looks.flatMap(({ title, text }) => [title.found, text.found])),
  };
}

const NOTHING_FOUND: Found = { items: [], degraded: false };
