import { start } from '../text/start-texts.ts';
import {
  above,
  choice,
  collections,
  condition,
  everyRounds,
  flag,
  lines,
  minutes,
  number,
  options,
  type Reader,
  rubric,
  scale,
  seconds,
  seed,
  sides,
  weights,
  whole,
  words,
} from './readers.ts';

/** What can be set of a talk besides its agents; docs/protocol.md, sections 2.1 and 9. */
export interface Parameter {
  /** Where the request has it, dotted; also what its text is kept under. */
  path: string;
  read: Reader;
  control: 'line' | 'lines' | 'flag' | 'provider' | Readonly<Record<string, string>>;
  /** What holds where nothing is said: `yes` for a flag that is set. */
  usual?: string;
}

const line = (path: string, read: Reader, usual?: string): Parameter => ({
  path,
  read,
  control: 'line',
  ...(usual === undefined ? {} : { usual }),
});
const area = (path: string, read: Reader): Parameter => ({ path, read, control: 'lines' });
const tick = (path: string, usual?: 'yes'): Parameter => ({
  path,
  read: flag,
  control: 'flag',
  ...(usual === undefined ? {} : { usual }),
});
const oneOf = (path: string, choices: Readonly<Record<string, string>>): Parameter => ({
  path,
  read: choice,
  control: choices,
});

/** A model that takes part in no other way. */
const outsiderAt = (path: string): Parameter[] => [
  { path: `${path}.provider`, read: choice, control: 'provider' },
  line(`${path}.model`, words(200)),
  area(`${path}.instructions`, words(20_000)),
];

export const POLICY: Readonly<Record<string, readonly Parameter[]>> = {
  random: [line('turnPolicy.seed', seed), tick('turnPolicy.repeats')],
  weighted: [area('turnPolicy.weights', weights), line('turnPolicy.seed', seed)],
  mention: [oneOf('turnPolicy.otherwise', start.choices.otherwise)],
  moderator: [...outsiderAt('turnPolicy.moderator'), line('turnPolicy.tries', whole(1, 10), '3')],
  debate: [area('turnPolicy.sides', sides), line('turnPolicy.rounds', whole(0, 100), '2')],
  panel: [line('turnPolicy.rounds', whole(1, 100), '1'), tick('turnPolicy.anonymous')],
};

export const DECISION: Readonly<Record<string, readonly Parameter[]>> = {
  vote: [
    line('decision.question', words(2000)),
    oneOf('decision.method', start.choices.method),
    area('decision.options', options),
    line('decision.quorum', number(0, 1), '0.5'),
    line('decision.at', everyRounds),
    tick('decision.anonymous', 'yes'),
  ],
  consensus: [
    line('decision.question', words(2000)),
    line('decision.share', above(1), '1'),
    line('decision.everyRounds', whole(1, 100), '1'),
  ],
  judge: [
    ...outsiderAt('decision.judge'),
    area('decision.rubric', rubric),
    line('decision.scale', scale),
    tick('decision.bothOrders', 'yes'),
  ],
};

export const ENDS: readonly Parameter[] = [
  line('maxTurns', whole(1, 10_000)),
  line('timeoutSeconds', minutes),
  line('termination.maxTotalTokens', whole(1, Number.MAX_SAFE_INTEGER)),
  line('termination.maxCostUsd', above(1e9)),
  line('termination.minTurns', whole(0, 10_000), '2'),
  line('termination.similarity.threshold', above(1)),
  line('termination.similarity.consecutive', whole(1, 10)),
  tick('termination.similarity.nudge', 'yes'),
  area('termination.phrases', lines),
  area('termination.when', condition),
];

export const RUNNING: readonly Parameter[] = [
  line('contextMessages', whole(1, 100)),
  line('turnDelayMs', seconds, '0'),
  oneOf('approval', start.choices.approval),
  oneOf('onCircuitOpen', start.choices.onCircuitOpen),
  line('knowledge', collections),
];
