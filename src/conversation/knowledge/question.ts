import type { ContextMessage } from '../log/log.ts';

/** Characters of the topic, and of each message's end, that are looked up. */
const MOST_TOPIC = 300;
const MOST_MESSAGE = 600;
/** The last messages that are asked for. */
const MESSAGES = 2;

/**
 * What is looked up for a turn: the end of the last message, the topic, and the end of the message before; each for
 * itself, so that a short question isn't drowned by long replies. decisions/0037 has figures for other ways.
 *
 * @param recent what the agent may see, in order
 * @returns different texts, at least one
 */
export function questionsFor(topic: string, recent: readonly Pick<ContextMessage, 'content'>[]): string[] {
  const [last, ...before] = recent
    .slice(-MESSAGES)
    .reverse()
    .map(({ content }) => content.slice(-MOST_MESSAGE));
  const asked = [last ?? '', topic.slice(0, MOST_TOPIC), ...before].map((text) => text.toWellFormed().trim());
  const said = [...new Set(asked)].filter((text) => text !== '');
  return said.length > 0 ? said : [''];
}

/** Something found, and how well it fits what was asked, from 0 to 1. */
interface Fitting {
  documentId: string;
  passage: number;
  score: number;
}

/**
 * What was found for several questions, as one list: the first of each before the second of any that fit as well. A
 * passage is worth the root of its score over its place; one that was found several times is where it is worth most,
 * with its best score.
 *
 * @param lists best first each
 */
export function inTurn<Passage extends Fitting>(
  lists: readonly (readonly Passage[])[],
): { passage: Passage; worth: number }[] {
  const best = new Map<string, { passage: Passage; worth: number }>();
  for (const list of lists) {
    for (const [index, passage] of list.entries()) {
      const key = `${passage.passage} ${passage.documentId}`;
      const known = best.get(key);
      const worth = Math.max(known?.worth ?? 0, Math.sqrt(passage.score) / (index + 1));
      best.set(key, {
        passage: known && known.passage.score > passage.score ? known.passage : passage,
        worth,
      });
    }
  }
  // Stable: what is worth the same stays in the order in which it was asked for.
  return [...best.values()].sort((one, other) => other.worth - one.worth);
}
