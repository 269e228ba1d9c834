import type { AgentSettings, ConversationSettings } from '../../log/settings.ts';
import { debatePlaceOf } from './debate.ts';
import type { Due, Facts } from './facts.ts';
import { panelDue } from './panel.ts';
import { byMention, random, roundRobin, weighted } from './speakers.ts';

/** Who is to speak, as a function of the log: the same on every instance and after any restart (9.1, 9.2). */
export function turnDue(facts: Facts): Due {
  const policy = facts.settings.turnPolicy ?? { type: 'round_robin' };
  switch (policy.type) {
    case 'round_robin':
      return speak(roundRobin(facts));
    case 'random':
      return speak(random(facts, policy));
    case 'weighted':
      return speak(weighted(facts, policy));
    case 'mention':
      return speak(byMention(facts, policy));
    case 'moderator':
      return { kind: 'choose' };
    case 'debate':
      return debateDue(facts);
    case 'panel':
      return panelDue(facts, policy);
    default:
      return policy satisfies never;
  }
}

/** Whether the talk has come to the end that its policy plans: that of a debate or a panel. */
export function isPlanOver(facts: Pick<Facts, 'settings' | 'turns'>): boolean {
  const { turnPolicy } = facts.settings;
  if (turnPolicy?.type === 'debate') return debateDue(facts).kind === 'over';
  return turnPolicy?.type === 'panel' && panelDue(facts, turnPolicy).kind === 'over';
}

function debateDue({ settings, turns }: Pick<Facts, 'settings' | 'turns'>): Due {
  const place = debatePlaceOf(settings, turns);
  return place ? speak(place.speaker) : { kind: 'over' };
}

function speak(speaker: number): Due {
  return { kind: 'speak', speaker };
}

/** How many rounds are whole: everybody who is in turn has spoken so often. */
export function roundsDone({
  settings,
  agentTurns,
}: {
  settings: Pick<ConversationSettings, 'agents'>;
  agentTurns: readonly number[];
}): number {
  const counts = settings.agents.flatMap((agent, index) => (isInTurn(agent) ? [agentTurns[index] ?? 0] : []));
  return counts.length === 0 ? 0 : Math.min(...counts);
}

function isInTurn({ speaks = 'in_turn' }: Pick<AgentSettings, 'speaks'>): boolean {
  return speaks === 'in_turn';
}
