import type { ConversationSettings } from '../../log/settings.ts';
import type { Due, Facts } from './facts.ts';
import { inTurn } from './speakers.ts';

const ROUNDS = 1;

/** Who is asked in a round of a panel: all that are in turn, in the order of the roster, people last. */
function roundOf(settings: ConversationSettings): number[] {
  const all = inTurn({ settings, named: [] });
  const isPerson = (index: number): boolean => settings.agents[index]?.provider === 'human';
  return [...all.filter((index) => !isPerson(index)), ...all.filter(isPerson)];
}

/** The rest of the round that is under way, as far as `maxTurns` goes; a person speaks alone. */
export function panelDue(
  { settings, turns }: Pick<Facts, 'settings' | 'turns'>,
  { rounds = ROUNDS }: Extract<ConversationSettings['turnPolicy'], { type: 'panel' }>,
): Due {
  const round = roundOf(settings);
  if (turns >= rounds * round.length) return { kind: 'over' };
  const spoken = turns % round.length;
  const left = Math.max(1, settings.maxTurns - turns);
  const rest = round.slice(spoken, spoken + left);
  const models = rest.filter((index) => settings.agents[index]?.provider !== 'human');
  if (models.length === 0) return { kind: 'speak', speaker: rest[0] ?? 0 };
  return { kind: 'together', speakers: models };
}

/** How many turns of the round under way stand; 0 behind a round, and where there is no panel. */
export function spokenInRound({ settings, turns }: Pick<Facts, 'settings' | 'turns'>): number {
  return settings.turnPolicy?.type === 'panel' ? turns % roundOf(settings).length : 0;
}
