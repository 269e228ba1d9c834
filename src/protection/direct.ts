import type { Lane } from '../conversation/turn/lane.ts';

/** The lane to what can't fail or be overrun: rules in the process need no shield. */
export const DIRECT_LANE: Lane = {
  run: (attempt, { signal }) => attempt({ signal, firstToken: () => {} }),
  circuit: () => 'closed',
};
