import type Database from 'better-sqlite3';
import { caseless } from '../../conversation/log/caseless.ts';

/** So many characters (code points) the index of trigrams needs; for less there are pairs. */
const TRIGRAM = 3;
/** Digits that any code point has room in, with base 36. The index of single characters is one of so many digits. */
const DIGITS = 4;

/** The index of topics, which is two: trigrams of the topic, and pairs of characters for shorter searches. */
export interface TopicIndex {
  add(key: number | bigint, topic: string): void;
  remove(key: number | bigint): void;
}

export function openTopicIndex(database: Database.Database): TopicIndex {
  const insertTopic = database.prepare('INSERT INTO topics (rowid, topic) VALUES (?, ?)');
  const insertPairs = database.prepare('INSERT INTO topic_pairs (rowid, pairs) VALUES (?, ?)');
  const removeTopic = database.prepare<[number | bigint]>('DELETE FROM topics WHERE rowid = ?');
  // An index without a text of its own takes out what it is told: https://sqlite.org/fts5.html#the_delete_command
  const removePairs = database.prepare<[number | bigint]>(
    `INSERT INTO topic_pairs (topic_pairs, rowid, pairs)
     SELECT 'delete', rowid, pairs(topic) FROM topics WHERE rowid = ?`,
  );
  return {
    add(key, topic) {
      const folded = caseless(topic);
      insertTopic.run(key, folded);
      insertPairs.run(key, pairsOf(folded));
    },
    remove(key) {
      removePairs.run(key);
      removeTopic.run(key);
    },
  };
}

/** Where to look for a text in topics, and the full-text query for it: https://sqlite.org/fts5.html#full_text_query_syntax */
export function topicSearch(q: string): { table: 'topics' | 'topic_pairs'; query: string } {
  const folded = caseless(q);
  const characters = [...folded];
  if (characters.length >= TRIGRAM) return { table: 'topics', query: `"${folded.replaceAll('"', '""')}"` };
  const digits = characters.map(digitsOf).join('');
  return { table: 'topic_pairs', query: characters.length === 1 ? `${digits}*` : digits };
}

/** Each character of a text with the one behind it, the last one alone: words of digits, which any tokenizer leaves whole. */
export function pairsOf(text: string): string {
  let pairs = '';
  for (const character of text) {
    const digits = digitsOf(character);
    pairs += pairs === '' ? digits : `${digits} ${digits}`;
  }
  return pairs;
}

function digitsOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(36).padStart(DIGITS, '0');
}
