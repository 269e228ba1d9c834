import { reflected } from './reflection.ts';
import { choice, type Said, type Scene } from './scene.ts';
import type { Pattern } from './script.ts';
import { FUNCTION_WORDS } from './vocabulary.ts';
import { type Clause, type Words, wordsOf } from './words.ts';

interface Candidate {
  pattern: Pattern;
  clause: Clause;
  /** Where the star begins. */
  from: number;
  score: number;
}

/** So many candidates at most are looked at; a long text has many keywords. */
const MAX_CANDIDATES = 24;

/** An echo of so few characters can come again without anybody noticing. */
const MIN_NOTICED_CHARS = 10;

/** A partner's message is taken for a repetition when its beginning, so long, was said before. */
const REPEATED_CHARS = 100;
const MIN_REPEATED_CHARS = 12;

/** A text so long has one word in it that says what it is about; how often it, or any, is taken up. */
const LONG_WORDS = 45;
const ECHO_CHANCE = 0.45;

/** The answer to the last message; undefined where everything fit was said lately. */
export function answerTo(scene: Scene): Said | undefined {
  const { script, heard, fillings, random } = scene;
  const beginning = heard.last.text.slice(0, REPEATED_CHARS);
  if (beginning.length >= MIN_REPEATED_CHARS && heard.before.some((text) => text.includes(beginning))) {
    const remark = choice(scene, script.repeats);
    if (remark) return remark;
  }
  if (random() < script.memoryChance) {
    const memory = remembered(scene);
    if (memory !== undefined) {
      fillings.memory = memory;
      const said = choice(scene, script.memories);
      if (said) return said;
    }
  }
  const word = standingOut(scene.words, fillings.subject ?? '');
  if (word !== undefined) fillings.word = `"${word}"`;
  const long = scene.words.raw.length >= LONG_WORDS;
  return (
    (long && random() < ECHO_CHANCE ? choice(scene, script.echoes) : undefined) ??
    answerByRule(scene) ??
    (random() < ECHO_CHANCE ? choice(scene, script.echoes) : undefined) ??
    choice(scene, script.listening)
  );
}

/** The best keyword's answer that was not given lately; the next best one's where all were. */
function answerByRule(scene: Scene): Said | undefined {
  const candidates = candidatesOf(scene);
  for (;;) {
    let best = -1;
    for (let index = 0; index < candidates.length; index++) {
      const score = candidates[index]?.score ?? -1;
      if (score >= 0 && (best < 0 || score > (candidates[best]?.score ?? 0))) best = index;
    }
    const candidate = candidates[best];
    if (!candidate) return undefined;
    candidate.score = -1;
    delete scene.fillings['1'];
    if (candidate.pattern.star) {
      const echo = reflected(scene.words, candidate.from, candidate.clause.end);
      if (echo === undefined || (echo.length >= MIN_NOTICED_CHARS && scene.heard.earlier.includes(echo)))
        continue;
      scene.fillings['1'] = echo;
    }
    const said = choice(scene, candidate.pattern.answers);
    if (said) return said;
  }
}

function candidatesOf({ script, words, random }: Scene): Candidate[] {
  const candidates: Candidate[] = [];
  const { lower, clauses } = words;
  // From the end: of a long text the last things said, and what is asked there, come first.
  for (let number = clauses.length - 1; number >= 0; number--) {
    const clause = clauses[number];
    if (!clause) continue;
    const heed =
      (clause.question ? script.heedsQuestions : 1 - script.heedsQuestions) * 3 +
      (number / clauses.length) * 2;
    for (let at = clause.start; at < clause.end; at++) {
      const patterns = script.patterns.get(lower[at] ?? '');
      if (!patterns) continue;
      for (const pattern of patterns) {
        if ((pattern.atStart && at !== clause.start) || (pattern.inQuestion && !clause.question)) continue;
        const from = at + pattern.words.length;
        if (!matches(pattern, lower, at, clause.end)) continue;
        candidates.push({
          pattern,
          clause,
          from,
          score: pattern.rank * 1.5 + pattern.words.length + heed + random() * 4,
        });
        if (candidates.length >= MAX_CANDIDATES) return candidates;
      }
    }
  }
  return candidates;
}

/** What a star stands for has two words at least after a lone keyword: "I think" is not worth an echo. */
function matches({ words, star }: Pattern, lower: readonly string[], at: number, end: number): boolean {
  const starred = star ? (words.length === 1 ? 2 : 1) : 0;
  if (at + words.length + starred > end) return false;
  for (let index = 1; index < words.length; index++) {
    if (lower[at + index] !== words[index]) return false;
  }
  return true;
}

/** Something that a partner said of itself in an earlier message, reflected. */
function remembered({ heard, random }: Scene): string | undefined {
  const { before } = heard;
  const text = before[Math.floor(random() * before.length)];
  if (text === undefined || before.length < 2) return undefined;
  const at = text.startsWith('I ') ? 0 : text.indexOf('. I ') + 2;
  if (at === 1) return undefined;
  const words = wordsOf(text.slice(at, at + 120).toWellFormed());
  const [clause] = words.clauses;
  if (!clause || clause.question || clause.end - clause.start < 4) return undefined;
  const echo = reflected(words, clause.start + 1, clause.end);
  return echo === undefined || heard.last.text.includes(echo) ? undefined : echo;
}

const MIN_WORD_CHARS = 6;
const MAX_WORD_CHARS = 24;

/** The longest word of the text that is neither a common one nor the topic's own. */
function standingOut({ lower }: Words, subject: string): string | undefined {
  let longest = '';
  for (const word of lower) {
    if (word.length <= longest.length || word.length < MIN_WORD_CHARS || word.length > MAX_WORD_CHARS)
      continue;
    if (!FUNCTION_WORDS.has(word) && !subject.includes(word)) longest = word;
  }
  return longest === '' ? undefined : longest;
}
