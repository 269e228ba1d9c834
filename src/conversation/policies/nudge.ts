import type { LoopKind, NudgedEvent } from '../log/events.ts';
import type { ContextMessage } from '../log/log.ts';
import { MODERATOR } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import { loopIn } from './loops.ts';

const WORDS: Record<LoopKind, string> = {
  near_duplicates: 'You are repeating what has been said.',
  alternation: 'You are going round in circles.',
  gratitude: 'You have thanked each other and agreed enough.',
};

/**
 * What the moderator says to agents that have begun to go round in circles, said once in a conversation; going
 * on as before, or another loop later, ends it. Undefined where there is no loop, where it was said before, or where it is not wanted.
 */
export function nudgeDue(state: ConversationState): Pick<NudgedEvent, 'kind' | 'content'> | undefined {
  const { phrases, similarity } = state.settings.termination;
  const loop = loopIn(state.loops);
  if (!loop || state.nudge || similarity.nudge === false) return undefined;
  const [phrase] = phrases;
  const otherwise = phrase === undefined ? '.' : `, or end with "${phrase}" if there is nothing left to say.`;
  return {
    kind: loop.kind,
    content: `${WORDS[loop.kind]} Say something new: a fact, an example, an objection, a question${otherwise}`,
  };
}

/** What an agent is shown with the nudge where it was said, for as long as a message before it is shown. */
export function withNudge(
  recent: readonly ContextMessage[],
  nudge: Pick<NudgedEvent, 'seq' | 'content'> | undefined,
): readonly ContextMessage[] {
  const place = nudge === undefined ? -1 : recent.findLastIndex(({ seq }) => seq < nudge.seq) + 1;
  if (nudge === undefined || place === 0) return recent;
  return recent.toSpliced(place, 0, { ...nudge, sender: MODERATOR });
}
