import type { ProviderStatus } from '../../client/types.ts';
import { formatDollars } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import { worstCaseOf } from './cost.ts';
import type { Draft } from './draft.ts';

/** What a talk may cost at most, where the prices of its models are known. */
export function WorstCase({ draft, providers }: { draft: Draft; providers: readonly ProviderStatus[] }) {
  const cost = worstCaseOf(draft, providers);
  if (cost === undefined) return null;
  if (cost === 'unknown') return <p class="hint across">{texts.start.worstCaseUnknown}</p>;
  if (!Number.isFinite(cost)) return null;
  const words = cost === 0 ? texts.start.worstCaseFree : texts.start.worstCase(formatDollars(cost));
  return <p class="hint across">{words}</p>;
}
