import type { ConversationSettings } from '../../log/settings.ts';
import { chanceOf } from './chance.ts';
import type { Facts } from './facts.ts';

type Policy<Type extends string> = Extract<ConversationSettings['turnPolicy'], { type: Type }>;

/** The agents that may speak now: those in turn, and those that the last message names. Indexes, in order. */
export function inTurn({ settings, named }: Pick<Facts, 'settings' | 'named'>): number[] {
  return settings.agents.flatMap(({ name, speaks = 'in_turn' }, index) => {
    const may = speaks === 'in_turn' || (speaks === 'when_mentioned' && named.includes(name));
    return may ? [index] : [];
  });
}

/** The next in the roster after the agent that spoke last; the first one begins. */
export function roundRobin(facts: Facts): number {
  const { turns, lastSpeaker, settings } = facts;
  const { agents } = settings;
  const last = agents.findIndex(({ name }) => name === lastSpeaker);
  // Releases that noted no speaker had all agents in turn.
  const first = last < 0 ? turns % agents.length : last + 1;
  const may = new Set(inTurn(facts));
  for (let step = 0; step < agents.length; step++) {
    const index = (first + step) % agents.length;
    if (may.has(index)) return index;
  }
  return first % agents.length;
}

/** Everybody once before anybody twice; with `repeats` anybody but the last. */
export function random(
  facts: Facts,
  { seed = facts.id, repeats = false }: Partial<Policy<'random'>>,
): number {
  const { agentTurns, turns } = facts;
  const others = withoutLast(facts);
  const fewest = Math.min(...inTurn(facts).map((index) => agentTurns[index] ?? 0));
  const fresh = inTurn(facts).filter((index) => (agentTurns[index] ?? 0) === fewest);
  const pool = repeats ? others : fresh;
  // The last of one round is not the first of the next, where there is another.
  const unlike = pool.filter((index) => others.includes(index));
  const candidates = unlike.length > 0 ? unlike : pool;
  return candidates[Math.floor(chanceOf(String(seed), turns) * candidates.length)] ?? 0;
}

/** By weights, of which there is 1 for whoever has none; never the same twice running. */
export function weighted(facts: Facts, { weights, seed = facts.id }: Policy<'weighted'>): number {
  const candidates = withoutLast(facts);
  const weightOf = (index: number): number => {
    const name = facts.settings.agents[index]?.name ?? '';
    return Object.hasOwn(weights, name) ? (weights[name] ?? 1) : 1;
  };
  const all = candidates.reduce((sum, index) => sum + weightOf(index), 0);
  let left = chanceOf(String(seed), facts.turns) * all;
  for (const index of candidates) {
    left -= weightOf(index);
    if (left < 0) return index;
  }
  return candidates.at(-1) ?? 0;
}

/** Whom the last message names first, where that one may speak. */
export function byMention(facts: Facts, { otherwise = 'round_robin' }: Policy<'mention'>): number {
  for (const name of facts.named) {
    const index = facts.settings.agents.findIndex((agent) => agent.name === name && agent.speaks !== 'never');
    if (index >= 0) return index;
  }
  return otherwise === 'random' ? random(facts, {}) : roundRobin(facts);
}

/** Who may speak but for the one that spoke last, where there is another. */
function withoutLast(facts: Facts): number[] {
  const all = inTurn(facts);
  const others = all.filter((index) => facts.settings.agents[index]?.name !== facts.lastSpeaker);
  return others.length > 0 ? others : all;
}
