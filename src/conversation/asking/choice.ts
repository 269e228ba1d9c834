import type { ContextMessage } from '../log/log.ts';
import { jsonIn, oneOf, onlyOneIn } from './json.ts';
import { bounded, objectSchema, type Question, transcriptOf } from './question.ts';

/** Asks a moderator who speaks next, or whether the talk is over. */
export function choiceQuestion(
  topic: string,
  names: readonly string[],
  messages: readonly ContextMessage[],
  instructions: string | undefined,
): Question {
  const system = [
    'You moderate a talk, and take no part in it yourself. You say who speaks next.',
    `The topic: ${topic}`,
    `Who can speak: ${names.join(', ')}`,
    ...(instructions === undefined ? [] : [instructions]),
    'Choose whoever can add most now. When nothing is left to be said, say that it is over.',
    'Answer with JSON alone: {"agent": "NAME"} or {"over": true}',
  ].join('\n\n');
  return {
    system,
    message: `${bounded(transcriptOf(messages))}\n\nWho speaks next?`,
    form: {
      kind: 'choice',
      // Both fields, since not every vendor takes alternatives.
      schema: objectSchema({
        agent: { type: ['string', 'null'], enum: [...names, null] },
        over: { type: 'boolean' },
      }),
      options: names,
      takesSeveral: false,
      criteria: [],
      scale: [0, 0],
    },
  };
}

/** What a moderator answered; undefined where it names nobody who can speak. */
export function readChoice(
  text: string,
  names: readonly string[],
): { agent: string } | { over: true } | undefined {
  const said = jsonIn(text);
  if (said) {
    const agent = oneOf(said['agent'], names);
    if (agent !== undefined) return { agent };
    return said['over'] === true ? { over: true } : undefined;
  }
  const agent = oneOf(text, names) ?? onlyOneIn(text, names);
  return agent === undefined ? undefined : { agent };
}
