import type { ConversationSettings } from '../../log/settings.ts';
import type { Due, Facts } from './facts.ts';
import { inTurn } from './speakers.ts';

const ROUNDS = 1;

/** Who is asked in a round of a panel: all that are in turn, in the order of the roster, people last. */
function roundOf(facts: Facts): number[] {
  const all = inTurn({ ...facts, named: [] });
  const isPerson = (index: number): boolean => facts.settings.agents[index]?.provider === 'human';
  return [...all.filter((index) => !isPerson(index)), ...all.filter(isPerson)];
}

/** The rest of the round that is under way, as far as `maxTurns` goes; a person speaks alone. */
export function panelDue(
  facts: Facts,
  { rounds = ROUNDS }: Extract<ConversationSettings['turnPolicy'], { type: 'panel' }>,
): Due {
  const round = roundOf(facts);
  if (facts.turns >= rounds * round.length) return { kind: 'over' };
  const spoken = facts.turns % round.length;
  const left = Math.max(1, facts.settings.maxTurns - facts.turns);
  const rest = round.slice(spoken, spoken + left);
  const models = rest.filter((index) => facts.settings.agents[index]?.provider !== 'human');
  if (models.length === 0) return { kind: 'speak', speaker: rest[0] ?? 0 };
  return { kind: 'together', speakers: models };
}

/** How many turns of the round under way stand; 0 behind a round, and where there is no panel. */
export function spokenInRound(facts: Facts): number {
  if (facts.settings.turnPolicy?.type !== 'panel') return 0;
  return facts.turns % roundOf(facts).length;
}
