import type { ContextMessage } from '../log/log.ts';

/** Characters of the topic, and of each message's end, that are looked up. */
const MOST_TOPIC = 300;
const MOST_MESSAGE = 600;
/** The last messages that a question is made of. */
const MESSAGES = 2;

/**
 * What is looked up for a turn: the topic, and the ends of the last messages, the last one first. Other ways to ask
 * have not been measured against it.
 *
 * @param recent what the agent may see, in order
 */
export function questionFor(topic: string, recent: readonly Pick<ContextMessage, 'content'>[]): string {
  const last = recent.slice(-MESSAGES).reverse();
  const said = last.map(({ content }) => content.slice(-MOST_MESSAGE));
  return [...said, topic.slice(0, MOST_TOPIC)].join('\n').toWellFormed();
}
