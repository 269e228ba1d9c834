import type { VerdictEvent } from '../log/events.ts';
import { type Guard, type GuardFinding, together } from './guard.ts';

/** What a model said in an answer that is no turn, as guards let it pass: null where they don't. */
export interface Words {
  readonly texts: readonly (string | null)[];
  readonly found: readonly GuardFinding[];
}

/**
 * Looks at the words of a ballot or a verdict.
 *
 * @param asked what they are about
 * @throws the signal's reason
 */
export async function lookAtWords(
  guard: Guard | undefined,
  texts: readonly (string | null)[],
  asked: string,
  signal: AbortSignal,
): Promise<Words> {
  if (!guard) return { texts, found: [] };
  const looks = await Promise.all(
    texts.map(async (text) => (text === null ? undefined : await guard.look(text, signal, asked))),
  );
  return {
    texts: looks.map((looked) => (looked && !looked.isBlocked ? looked.text : null)),
    found: together(...looks.map((looked) => looked?.found ?? [])),
  };
}

type Judged = Pick<VerdictEvent, 'summary' | 'scores'>;

/** A verdict's words, as guards let them pass. @throws the signal's reason */
export async function lookAtVerdict(
  guard: Guard | undefined,
  { summary, scores }: Judged,
  asked: string,
  signal: AbortSignal,
): Promise<Judged & { found: readonly GuardFinding[] }> {
  const given = [summary, ...scores.map(({ why }) => why)];
  const { texts, found } = await lookAtWords(guard, given, asked, signal);
  const [passed = null, ...whys] = texts;
  return { summary: passed, scores: scores.map((each, at) => ({ ...each, why: whys[at] ?? null })), found };
}
