import { invalid } from '../../errors.ts';
import { type ConversationEvent, defined, resumedEvent } from '../log/events.ts';
import type { Hand } from './hand.ts';

/** Has an agent speak next, whatever the turn policy says, once; ends a wait for a person (10.5). */
export function choose(agent: string): Hand {
  return ({ settings, turns, lastSeq, pause }, { at, key }) => {
    const names = settings.agents.map(({ name }) => name);
    if (!names.includes(agent)) throw invalid([{ path: 'agent', message: `is none of ${names.join(', ')}` }]);
    const chosen: ConversationEvent = {
      seq: lastSeq + 1,
      type: 'speaker.chosen',
      at: at.toISOString(),
      turn: turns + 1,
      agent,
      by: 'human',
      ...defined({ key }),
    };
    const isWait = pause?.for === 'human' && !pause.behind;
    return isWait ? [chosen, resumedEvent(lastSeq + 2, at, { by: 'user', key })] : [chosen];
  };
}
