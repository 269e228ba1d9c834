import { invalid } from '../../errors.ts';
import { defined, resumedEvent } from '../log/events.ts';
import type { Hand } from './hand.ts';

/** Has an agent speak next, whatever the turn policy says, once; ends a wait for a person (10.5). */
export function choose(agent: string): Hand {
  return (draft, { at, key }) => {
    const { settings, turns, pause } = draft.state;
    const names = settings.agents.map(({ name }) => name);
    if (!names.includes(agent)) throw invalid([{ path: 'agent', message: `is none of ${names.join(', ')}` }]);
    draft.add({
      seq: draft.nextSeq,
      type: 'speaker.chosen',
      at: at.toISOString(),
      turn: turns + 1,
      agent,
      by: 'human',
      ...defined({ key }),
    });
    const isWait = pause?.for === 'human' && !pause.behind;
    if (isWait) draft.add(resumedEvent(draft.nextSeq, at, { by: 'user', key }));
  };
}
