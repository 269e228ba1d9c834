/**
 * How well passages are found, and what that depends on: `npm run bench:retrieval`. Prints, on the retrieval set of the
 * tests, the share of questions whose answer is among the first five passages, for passages of several sizes and for
 * several ways to make a question of a talk. Documents of a language are joined by tens, since short ones are one passage
 * each whatever the size is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTurn, questionsFor } from '../src/conversation/knowledge/question.ts';
import { LocalKnowledge } from '../src/knowledge/local.ts';
import { passagesOf } from '../src/knowledge/reading/passages.ts';
import { readDocument } from '../src/knowledge/reading/read.ts';
import { formatOfKind, retrievalSet } from '../test/fixtures/retrieval/set.ts';

const LIMIT = 5;
const JOINED = 10;
const { signal } = new AbortController();
const { documents, questions } = retrievalSet();
const folder = mkdtempSync(join(tmpdir(), 'aic-retrieval-'));

/** Where the text of each document stands in those that are made of several. */
const places = new Map<string, { document: string; from: number; to: number }>();
const texts = new Map<string, string>();
const joined: { id: string; text: string }[] = [];
for (const language of ['en', 'de', 'zh']) {
  const own = documents.filter((document) => document.language === language);
  // Not next to those that are about the same.
  const shuffled = own
    .map((_, index) => own[(index * 37) % own.length] ?? own[0])
    .filter((each) => each !== undefined);
  for (let first = 0; first < shuffled.length; first += JOINED) {
    const id = `${language}-${first}`;
    let text = '';
    for (const document of shuffled.slice(first, first + JOINED)) {
      const format = formatOfKind(document.kind);
      const read = await readDocument({ format, content: document.text });
      const part = `${document.title}\n${read.text}`;
      texts.set(document.id, read.text);
      places.set(document.id, { document: id, from: text.length, to: text.length + part.length });
      text += `${part}\n\n`;
    }
    joined.push({ id, text });
  }
}

/** The share of questions for which a passage is found that has most of the text that answers it, and what is shown. */
async function measure(
  name: string,
  size: { size: number; overlap: number },
  asked: (question: string, index: number) => string | string[],
): Promise<void> {
  const knowledge = new LocalKnowledge(join(folder, `${name.replaceAll(/\W/g, '-')}.sqlite`), {
    isDurable: false,
  });
  for (const { id, text } of joined) {
    const document = { id, title: 'Notes', format: 'text' as const, text, createdAt: new Date(0) };
    await knowledge.put('t', 'set', { ...document, passages: passagesOf(text, 'text', size) }, undefined);
  }
  let [found, shown] = [0, 0];
  for (const [index, { text, document }] of questions.entries()) {
    const results = await Promise.all(
      [asked(text, index)].flat().map((each) => knowledge.search('t', 'set', each, { limit: LIMIT, signal })),
    );
    const place = places.get(document);
    const items = inTurn(results.map((result) => result?.items ?? []))
      .slice(0, LIMIT)
      .map(({ passage }) => passage);
    shown += items.reduce((sum, passage) => sum + passage.text.length, 0);
    const isThere = items.some(
      (passage) =>
        place?.document === passage.documentId &&
        Math.min(place.to, passage.to) - Math.max(place.from, passage.from) >=
          Math.min(place.to - place.from, passage.to - passage.from) / 2,
    );
    if (isThere) found++;
  }
  await knowledge.close();
  const share = (found / questions.length).toFixed(3);
  console.log(`| ${name} | ${share} | ${Math.round(shown / questions.length)} |`);
}

const USUAL = { size: 900, overlap: 150 };
console.log(`${joined.length} documents, ${questions.length} questions\n`);
console.log('| passages of at most, with what overlap | answered | characters shown |\n|---|---|---|');
for (const [size, overlap] of [
  [200, 30],
  [400, 60],
  [600, 100],
  [900, 0],
  [900, 150],
  [900, 300],
  [1500, 250],
  [3000, 500],
] as const) {
  await measure(`${size}, ${overlap}`, { size, overlap }, (question) => question);
}

/** Something else that was said: of another document in the same language. */
function besides(index: number, step: number): string {
  const language = questions[index]?.language;
  const others = documents.filter((document) => document.language === language);
  const other = others[(index * 7 + step) % others.length];
  return texts.get(other?.id ?? '')?.slice(0, 300) ?? '';
}
type Talk = (question: string, index: number) => { topic: string; messages: string[] };
const TALKS: Record<string, Talk> = {
  'the topic asks, two replies about something else': (question, index) => ({
    topic: question,
    messages: [besides(index, 1), besides(index, 2)],
  }),
  'the last message asks': (question, index) => ({
    topic: 'Let us talk about what we have read.',
    messages: [besides(index, 1), besides(index, 2), question],
  }),
  'the message before the last one asks': (question, index) => ({
    topic: 'Let us talk about what we have read.',
    messages: [besides(index, 1), question, 'I am not sure. What do others think?'],
  }),
};
const WAYS: Record<string, (talk: ReturnType<Talk>) => string | string[]> = {
  'the topic alone': ({ topic }) => topic,
  'the last message alone': ({ messages }) => messages.at(-1) ?? '',
  'the topic and the last message': ({ topic, messages }) => [messages.at(-1), topic].join('\n'),
  'the topic and the last two messages': ({ topic, messages }) =>
    [...messages.slice(-2).reverse(), topic].join('\n'),
  'the topic and the last two messages, each for itself': ({ topic, messages }) =>
    questionsFor(
      topic,
      messages.map((content) => ({ content })),
    ),
  'the topic and the last three messages': ({ topic, messages }) =>
    [...messages.slice(-3).reverse(), topic].join('\n'),
};
console.log('\n| talk: what is looked up | answered | characters shown |\n|---|---|---|');
for (const [talk, talkOf] of Object.entries(TALKS)) {
  for (const [way, questionOf] of Object.entries(WAYS)) {
    await measure(`${talk}: ${way}`, USUAL, (question, index) => questionOf(talkOf(question, index)));
  }
}
rmSync(folder, { recursive: true });
