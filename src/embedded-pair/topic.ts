import {
  decapitalised,
  MAX_QUESTION_WORDS,
  neutral,
  nounPhrase,
  phrase,
  plainWords,
  settled,
  shortened,
  thirdPerson,
} from './phrases.ts';
import {
  AUXILIARIES,
  BASE_VERBS,
  BE,
  DETERMINERS,
  FUNCTION_WORDS,
  MODALS,
  PREPOSITIONS,
  PRONOUNS,
  QUESTION_WORDS,
} from './vocabulary.ts';

/** A topic in the shapes in which a sentence can use it. */
export interface Topic {
  /** A noun phrase: "science" of "Should science be open by default?". */
  subject: string;
  /** What can stand after "about": "whether science should be open by default"; else the subject. */
  question: string;
  /** The statement that is asked about: "science should be open by default". */
  claim: string | undefined;
  /** The contrary: "science should not be open by default". */
  denial: string | undefined;
  /** What is to be chosen from: "tabs" and "spaces". */
  sides: readonly [string, string] | undefined;
  /** Its own words that carry meaning, not empty unless the topic has no words. */
  aspects: readonly string[];
}

const MAX_TOPIC_CHARS = 300;
const REMEMBERED_TOPICS = 256;

/** Parsed topics by text; a pure function's memo, emptied when full. */
const remembered = new Map<string, Topic>();

/** Finds the noun phrase, the claim and the alternatives in any text; English grammar where it is English. */
export function topicOf(text: string): Topic {
  const known = remembered.get(text);
  if (known) return known;
  const topic = parsed(text.slice(0, MAX_TOPIC_CHARS).toWellFormed());
  if (remembered.size >= REMEMBERED_TOPICS) remembered.clear();
  remembered.set(text, topic);
  return topic;
}

const LEAD_IN =
  /^(?:please\s+)?(?:(?:let['’]s|let us)\s+)?(?:discuss|debate|explain|describe|talk about|tell me about|tell us about|speak about|write about|imagine|topic:|the topic:|the question:)\s+/iu;

function parsed(text: string): Topic {
  const sentence = firstSentence(text);
  const body = sentence.replace(LEAD_IN, '');
  const words = plainWords(body);
  const aspects = aspectsOf(plainWords(text));
  const [first = ''] = words;
  if (words.length === 0) return bare(fallbackName(text), aspects);
  const sides = sidesOf(words);
  if (sides) {
    const [one, other] = sides;
    return { ...bare(`${one} and ${other}`, aspects), question: `${one} or ${other}`, sides };
  }
  const lower = words.map((word) => word.toLowerCase());
  const opening = lower[0] ?? '';
  if (AUXILIARIES.has(opening) && words.length > 2) return polarQuestion(words, lower, aspects);
  if (QUESTION_WORDS.has(opening) && words.length > 2) return openQuestion(words, lower, aspects);
  return statement([settled(first, words[1]), ...words.slice(1)], lower, aspects);
}

function bare(subject: string, aspects: readonly string[]): Topic {
  return { subject, question: subject, claim: undefined, denial: undefined, sides: undefined, aspects };
}

function firstSentence(text: string): string {
  const trimmed = text.replace(/[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const afterColon = /^[^:]{3,40}:\s+(.*\bor\b.*)$/iu.exec(trimmed)?.[1] ?? trimmed;
  return /^.{2,}?(?:[.!?](?=\s)|[。！？…])/u.exec(afterColon)?.[0] ?? afterColon;
}

function fallbackName(text: string): string {
  const visible = text.replace(/[\p{C}\p{Z}"]+/gu, '');
  return visible === '' ? 'this' : `"${shortened(visible, 12)}"`;
}

function aspectsOf(words: readonly string[]): string[] {
  const seen = new Set<string>();
  for (const word of words) {
    const lower = word.toLowerCase();
    if (!FUNCTION_WORDS.has(lower) && !AUXILIARIES.has(lower) && !QUESTION_WORDS.has(lower)) seen.add(lower);
  }
  return [...seen].slice(0, 12);
}

function sidesOf(words: readonly string[]): [string, string] | undefined {
  const at = words.findIndex((word) => /^(?:or|vs|versus)$/iu.test(word));
  const left = words.slice(0, at);
  const right = words.slice(at + 1);
  if (at < 1 || at > 3 || right.length === 0 || right.length > 3) return undefined;
  const opening = (left[0] ?? '').toLowerCase();
  if (AUXILIARIES.has(opening) || QUESTION_WORDS.has(opening) || PRONOUNS.has(opening)) return undefined;
  const [head = ''] = left;
  const [other = ''] = right;
  const lowerCased = other === other.toLowerCase() && /\p{L}/u.test(other);
  const one = [lowerCased ? decapitalised(head) : head, ...left.slice(1)].join(' ');
  return [one, right.join(' ')];
}

/** "Should science be open?": the subject ends where the verb begins, or the predicate after "be". */
function polarQuestion(
  words: readonly string[],
  lower: readonly string[],
  aspects: readonly string[],
): Topic {
  const [auxiliary = ''] = lower;
  const split = BE.has(auxiliary) ? predicateAfterBe(lower) : verbAfter(lower, 1);
  const who = neutral(words.slice(1, split));
  const rest = neutral(words.slice(split));
  const does = auxiliary === 'does' || auxiliary === 'do';
  const third = auxiliary === 'does' || who[0] === 'one';
  const predicate = does
    ? [third ? thirdPerson(rest[0] ?? '') : rest[0], ...rest.slice(1)]
    : [auxiliary, ...rest];
  const no = lower[1] === 'there' ? 'no' : 'not';
  const negated = [auxiliary === 'can' ? 'cannot' : `${does && third ? 'does' : auxiliary} ${no}`, ...rest];
  const claim = phrase([...who, ...predicate]);
  const denial = phrase([...who, ...negated]);
  const object = PRONOUNS.has(lower[1] ?? '')
    ? objectOf(words.slice(BE.has(auxiliary) ? afterPreposition(lower) : split + 1))
    : who;
  const subject = nounPhrase(object.slice(0, 5), aspects);
  return {
    subject,
    question: claim ? `whether ${claim}` : subject,
    claim,
    denial,
    sides: undefined,
    aspects,
  };
}

/** "Are we alone in the universe?": the universe is a thing to talk about, alone is not. */
function afterPreposition(lower: readonly string[]): number {
  const at = lower[1] === 'there' ? -1 : lower.findLastIndex((word) => PREPOSITIONS.has(word));
  return at < 0 ? 2 : at + 1;
}

/** "What is X?", "Why do cats purr?": the words after, put back into the order of a statement. */
function openQuestion(words: readonly string[], lower: readonly string[], aspects: readonly string[]): Topic {
  const [wh = '', second = ''] = lower;
  const rest = neutral(words.slice(2));
  const restLower = lower.slice(2);
  let subject: readonly string[] = objectOf(words.slice(2));
  let order: readonly (string | undefined)[] = [wh, ...neutral(words.slice(1))];
  if (BE.has(second)) {
    const nominal = wh === 'what' || wh === 'who' || wh === 'which';
    const split = nominal ? rest.length : predicateAfterBe(['is', ...restLower]) - 1;
    subject = rest.slice(0, split);
    order = [wh, ...subject, second, ...rest.slice(split)];
  } else if (AUXILIARIES.has(second) && BASE_VERBS.has(restLower[0] ?? '')) {
    // "Who should own the moon?" is in the order of a statement already.
    subject = objectOf(words.slice(3));
  } else if (AUXILIARIES.has(second)) {
    const split = verbAfter(['', ...restLower], 1) - 1;
    subject = PRONOUNS.has(restLower[0] ?? '') ? objectOf(words.slice(split + 3)) : rest.slice(0, split);
    const verb = second === 'does' ? thirdPerson(rest[split] ?? '') : rest[split];
    const auxiliary = second === 'does' || second === 'do' ? [] : [second];
    order = [wh, ...rest.slice(0, split), ...auxiliary, verb, ...rest.slice(split + 1)];
  }
  const name = nounPhrase(subject.slice(0, 5), aspects);
  return { ...bare(name, aspects), question: phrase(order) ?? name };
}

function statement(words: readonly string[], lower: readonly string[], aspects: readonly string[]): Topic {
  const verb = lower.findIndex((word, index) => index > 0 && (MODALS.has(word) || BE.has(word)));
  if (verb > 0 && verb <= 5 && words.length > verb + 1 && words.length <= MAX_QUESTION_WORDS) {
    const claim = phrase(neutral(words));
    const auxiliary = lower[verb] ?? '';
    const negation = auxiliary === 'can' ? ['cannot'] : [auxiliary, 'not'];
    const denial =
      lower[verb + 1] === 'not'
        ? undefined
        : [...words.slice(0, verb), ...negation, ...words.slice(verb + 1)];
    const who = PRONOUNS.has(lower[0] ?? '') ? objectOf(words.slice(verb + 1)) : words.slice(0, verb);
    const subject = nounPhrase(who, aspects);
    return {
      ...bare(subject, aspects),
      question: claim ? `whether ${claim}` : subject,
      claim,
      denial: denial && phrase(neutral(denial)),
    };
  }
  if (words.length <= 6 && !PRONOUNS.has(lower[0] ?? '') && !BASE_VERBS.has(lower[0] ?? '')) {
    return bare(nounPhrase(words, aspects), aspects);
  }
  return bare(nounPhrase(objectOf(words.slice(matterOf(lower))), aspects), aspects);
}

/** Where the matter begins in "we argue about whether to rewrite the service": behind the verb after "to". */
function matterOf(lower: readonly string[]): number {
  let at = lower.findIndex((word) => word === 'about' || word === 'whether') + 1;
  if (at === 0) return 0;
  while (/^(?:whether|how|why|when|what)$/u.test(lower[at] ?? '')) at++;
  return lower[at] === 'to' ? at + 2 : at;
}

/** The index of the first verb after at least one word of a subject; two words where there is none known. */
function verbAfter(lower: readonly string[], from: number): number {
  const first = from + (DETERMINERS.has(lower[from] ?? '') ? 2 : 1);
  if (PRONOUNS.has(lower[from] ?? '')) return from + 1;
  for (let index = first; index < lower.length; index++) {
    if (BASE_VERBS.has(lower[index] ?? '')) return index;
  }
  return Math.min(first, lower.length - 1);
}

/** "Is | the earth | flat", "Is | Pluto | a planet", "Is | tea | good for us". */
function predicateAfterBe(lower: readonly string[]): number {
  if (PRONOUNS.has(lower[1] ?? '')) return 2;
  for (let index = 2; index < lower.length; index++) {
    const word = lower[index] ?? '';
    if (lower[index - 1] === 'of' || DETERMINERS.has(lower[index - 1] ?? '')) continue;
    if (
      DETERMINERS.has(word) ||
      /^(?:not|too|really|still|ever|more|better|worse|just|always|never|worth)$/u.test(word)
    ) {
      return index;
    }
    if (word !== 'of' && PREPOSITIONS.has(word)) return Math.max(2, index - 1);
  }
  return Math.max(2, lower.length - 1);
}

/** The first run of words with a meaning, its article with it: what a verb is done to. */
function objectOf(words: readonly string[]): string[] {
  let run: string[] = [];
  let article: string | undefined;
  for (const word of words) {
    const lower = word.toLowerCase();
    const verb = AUXILIARIES.has(lower) || BASE_VERBS.has(lower);
    if (run.length === 0 && verb) continue;
    if (!FUNCTION_WORDS.has(lower)) run.push(word);
    else if (run.length > 0) break;
    else article = /^(?:the|an?)$/u.test(lower) ? word : undefined;
  }
  if (run.length > 3) run = run.slice(-3);
  return article === undefined || run.length === 0 ? run : [article, ...run];
}
