import type { Conversation } from '../../client/types.ts';
import type { Entry } from './entries.ts';

/** The colour of a participant: its place in the roster. Who is none (people, moderators) has one of its own. */
export function toneOf(conversation: Conversation | undefined, name: string): string {
  const at = conversation?.agents.findIndex((agent) => agent.name === name) ?? -1;
  return at >= 0 ? `tone-${at % 8}` : 'tone-other';
}

/** Up to two letters that stand for a name. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters
    .map((word) => [...(word ?? '')][0] ?? '')
    .join('')
    .toUpperCase();
}

/** Who speaks at this moment. */
export function speakerOf(entries: readonly Entry[]): string | undefined {
  const last = entries.at(-1);
  return last?.kind === 'speaking' ? last.agent : undefined;
}

/** Who is next, where that is certain: whom the server says, or who follows on the speaker in the round. */
export function nextOf(conversation: Conversation, speaker: string | undefined): string | undefined {
  if (conversation.status !== 'running') return undefined;
  if (speaker === undefined) return conversation.agents.find(({ state }) => state === 'generating')?.name;
  const { turnPolicy, agents } = conversation.settings;
  if (turnPolicy && turnPolicy.type !== 'round_robin') return undefined;
  const at = agents.findIndex(({ name }) => name === speaker);
  for (let step = 1; step < agents.length; step++) {
    const agent = agents[(at + step) % agents.length];
    if (agent && (agent.speaks ?? 'in_turn') === 'in_turn') return agent.name;
  }
  return undefined;
}
