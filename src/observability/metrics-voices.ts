import type { Happening } from '../conversation/happenings.ts';
import type { MetricRegistry } from './metrics-registry.ts';

const CHOSEN_BY = ['moderator', 'human', 'fallback'] as const;
const DECISIONS = ['approve', 'edit', 'reject'] as const;
const WAITS = ['user', 'human', 'approval'] as const;

/** Counts what is chosen, voted, judged and waited for. */
export function voiceMeters(registry: MetricRegistry): (happening: Happening) => void {
  const choices = registry.counter('choices');
  const ballots = registry.counter('ballots');
  const outcomes = registry.counter('outcomes');
  const approvals = registry.counter('approvals');
  const pauses = registry.counter('pauses');
  const pauseSeconds = registry.histogram('pauseSeconds');
  // Series that are there from the start, so that the first of them is an increase, too.
  for (const by of CHOSEN_BY) choices.inc({ by }, 0);
  for (const result of ['valid', 'invalid']) ballots.inc({ result }, 0);
  for (const type of ['vote', 'consensus', 'verdict']) {
    for (const result of ['winner', 'none']) outcomes.inc({ type, result }, 0);
  }
  for (const decision of DECISIONS) approvals.inc({ decision }, 0);
  for (const reason of WAITS) pauses.inc({ for: reason }, 0);

  return (happening) => {
    switch (happening.type) {
      case 'speaker.chosen':
        return choices.inc({ by: happening.event.by });
      case 'ballot.cast':
        return ballots.inc({ result: happening.event.choice === null ? 'invalid' : 'valid' });
      case 'outcome.reached': {
        const { event } = happening;
        const isConsensus = event.type === 'vote.closed' && event.method === 'consensus';
        const type = event.type === 'verdict.given' ? 'verdict' : isConsensus ? 'consensus' : 'vote';
        return outcomes.inc({ type, result: event.winner === null ? 'none' : 'winner' });
      }
      case 'turn.decided':
        return approvals.inc({ decision: happening.event.decision });
      case 'conversation.paused':
        return pauses.inc({ for: happening.event.for });
      case 'conversation.unpaused':
        return pauseSeconds.observe({ for: happening.for }, happening.pausedMs / 1000);
      default:
        return undefined;
    }
  };
}
