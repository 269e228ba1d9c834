import type { When } from '../../protocol/voices.ts';
import { caseless } from '../log/caseless.ts';
import type { ConversationSettings } from '../log/settings.ts';

/**
 * Which of the texts that an end is made of were said, and by whom: a fold over what agents said. Undefined where
 * no end asks for a text.
 */
export interface SaidState {
  /** Without case. */
  readonly texts: readonly string[];
  /** By text, the agents that ever said it; indexes. */
  readonly ever: readonly (readonly number[])[];
  /** By text, the agents whose last message has it. */
  readonly last: readonly (readonly number[])[];
}

export function nothingSaid({ termination }: ConversationSettings): SaidState | undefined {
  const texts = [...new Set(termination.when ? textsIn(termination.when) : [])];
  if (texts.length === 0) return undefined;
  return { texts, ever: texts.map(() => []), last: texts.map(() => []) };
}

export function observeSaid(state: SaidState, agent: number, content: string): SaidState {
  const said = caseless(content);
  const has = state.texts.map((text) => said.includes(text));
  return {
    texts: state.texts,
    ever: state.ever.map((agents, index) =>
      has[index] && !agents.includes(agent) ? [...agents, agent] : agents,
    ),
    last: state.last.map((agents, index) => {
      const others = agents.filter((each) => each !== agent);
      return has[index] ? [...others, agent] : others;
    }),
  };
}

/** Who said a text: ever, or in its last message. */
export function whoSaid(
  state: SaidState | undefined,
  text: string,
  when: 'ever' | 'last',
): readonly number[] {
  const index = state?.texts.indexOf(caseless(text)) ?? -1;
  return state?.[when][index] ?? [];
}

function textsIn(when: When): string[] {
  if ('any' in when) return when.any.flatMap(textsIn);
  if ('all' in when) return when.all.flatMap(textsIn);
  if ('not' in when) return textsIn(when.not);
  if ('said' in when) return [caseless(when.said)];
  return 'everybodySaid' in when ? [caseless(when.everybodySaid)] : [];
}
