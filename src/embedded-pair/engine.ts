import { MODERATOR } from '../conversation/log/settings.ts';
import type { GenerateRequest } from '../conversation/turn/provider.ts';
import { answerTo } from './answering.ts';
import { hearing } from './hearing.ts';
import { type Affects, type Mood, moodOf, sway } from './mood.ts';
import { quotation } from './quoting.ts';
import { hashOf, type Random, randomFrom } from './random.ts';
import { choice, nextFrom, type Said, type Scene } from './scene.ts';
import {
  type Fillings,
  type FollowUp,
  filled,
  type Likelihood,
  type Script,
  STORY_ENDING_CHARS,
} from './script.ts';
import { type Topic, topicOf } from './topic.ts';
import { FUNCTION_WORDS } from './vocabulary.ts';
import { wordsOf } from './words.ts';

/** A story that was not told on for so many own replies is told on now, before it is out of sight. */
const OVERDUE_REPLIES = 3;

/** Who has said so little so far begins the story at its beginning. */
const FIRST_REPLIES = 4;

/** A reply shorter than this has nothing of its own in it. */
const SHORT_CHARS = 30;

/** How likely one comes back to a topic that neither the last message nor the own last reply named. */
const RETURN_CHANCE = 0.6;

/** How often, among more than two, the one who spoke last is called by name, and which names suit that. */
const CALLING_CHANCE = 0.5;
const SIMPLE_NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,31}$/u;

/** How much longer ago counts less; only so many earlier messages still have a say in the mood. */
const FADING = 0.6;
const MOODY_MESSAGES = 2;
const MOODY_CHARS = 200;

/** The seed is mixed with the end of the last message, so that a seed used twice gives two replies. */
const MIXED_CHARS = 48;

/**
 * What a character answers: one to four sentences. A pure function of the script and the request: what it
 * remembers and how it feels are read from the messages shown, and chance comes from the seed.
 */
export function reply(script: Script, request: GenerateRequest): string {
  const scene = sceneOf(script, request);
  const { heard } = scene;
  const parts = heard.opening ? [choice(scene, script.openings)] : answerAndMore(scene);
  let text = joined(parts);
  if (text.length < SHORT_CHARS) text = joined([{ text }, choice(scene, script.topic)]);
  if (text === '') text = lastResort(scene);
  const quoted = quotation(request, heard);
  if (quoted !== undefined) text = `${text} ${quoted}`;
  const called = heard.group && !heard.opening && heard.last.speaker !== MODERATOR;
  return called && scene.random() < CALLING_CHANCE ? calling(heard.last.speaker, text) : text;
}

function sceneOf(script: Script, request: GenerateRequest): Scene {
  const heard = hearing(request);
  const { text } = heard.last;
  const random = randomFrom(hashOf(text.slice(-MIXED_CHARS), hashOf(request.agent, hashOf(request.seed))));
  const fillings = fillingsOf(topicOf(request.topic), request, random);
  return { script, heard, words: wordsOf(text), fillings, random };
}

function fillingsOf(topic: Topic, request: GenerateRequest, random: Random): Fillings {
  const { subject, question, claim, denial, sides, aspects } = topic;
  const fillings: Fillings = { subject, question };
  const against = (hashOf(request.agent, hashOf(request.topic)) & 1) === 1;
  if (claim !== undefined) fillings.claim = claim;
  const stance = against ? denial : claim;
  if (stance !== undefined) fillings.stance = stance;
  if (sides) {
    const swapped = random() < 0.5;
    fillings.side = sides[swapped ? 1 : 0];
    fillings.other = sides[swapped ? 0 : 1];
    fillings.favourite = sides[against ? 1 : 0];
    fillings.disfavoured = sides[against ? 0 : 1];
  }
  const aspect = aspects[Math.floor(random() * aspects.length)];
  if (aspect !== undefined) fillings.aspect = `"${aspect}"`;
  return fillings;
}

function answerAndMore(scene: Scene): (Said | undefined)[] {
  const { script, heard } = scene;
  const greeting = heard.first ? choice(scene, script.greetings) : undefined;
  const answer = answerTo(scene);
  const asks = answer?.sentence.question ?? false;
  const what = followUp(scene, asks);
  const next = nextSaid(scene, what);
  // A remark is made before a question, not after it: the question has the last word.
  return asks && what === 'observation' ? [greeting, next, answer] : [greeting, answer, next];
}

function joined(parts: readonly (Pick<Said, 'text'> | undefined)[]): string {
  let all = '';
  for (const part of parts) {
    if (part && part.text !== '') all += all === '' ? part.text : ` ${part.text}`;
  }
  return all;
}

/** When all was said lately, one listens. */
function lastResort({ script, fillings, random }: Scene): string {
  const sentence = script.listening[Math.floor(random() * script.listening.length)];
  return (sentence && filled(sentence, fillings)) ?? '…';
}

/** "Parry 2, what do you mean?": the name in front where the first word bears a small letter. */
function calling(name: string, text: string): string {
  const first = text.slice(0, text.indexOf(' '));
  const lower = first.toLowerCase();
  const plain = lower !== 'i' && FUNCTION_WORDS.has(lower) && SIMPLE_NAME.test(name);
  return plain ? `${name}, ${lower}${text.slice(first.length)}` : text;
}

/** What comes after the answer: a story that has waited long, the topic that was lost sight of, or chance. */
function followUp(scene: Scene, afterQuestion: boolean): FollowUp {
  const { script, heard, fillings, random } = scene;
  if (placeOfStory(scene) >= OVERDUE_REPLIES) return 'story';
  // Shown no more than the last message, one can't avoid what one said before; a new aspect makes it differ.
  if (heard.own.length === 0 && !heard.first) return 'topic';
  const subject = fillings.subject ?? '';
  const strayed = !heard.last.text.includes(subject) && !heard.own[0]?.includes(subject);
  if (strayed && random() < RETURN_CHANCE) return afterQuestion ? script.returnsBy : 'topic';
  return drawn(afterQuestion ? script.followUps.afterQuestion : script.followUps.afterStatement, random);
}

function drawn(likelihood: Likelihood, random: Random): FollowUp {
  let left = random() * likelihood.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [what, weight] of likelihood) {
    left -= weight;
    if (left < 0) return what;
  }
  return 'nothing';
}

function nextSaid(scene: Scene, what: FollowUp): Said | undefined {
  const { script } = scene;
  if (what === 'nothing') return undefined;
  if (what === 'story') return storyAfter(scene) ?? choice(scene, script.topic);
  if (what === 'mood') return choice(scene, script.moods[moodFrom(scene)]);
  return choice(scene, what === 'topic' ? script.topic : script.observations);
}

/** Which of the own replies, 0 being the latest, told a part of the story; -1 where none did. */
function placeOfStory({ script, heard }: Scene): number {
  return heard.own.findIndex((text) => script.storyByEnding.has(text.slice(-STORY_ENDING_CHARS)));
}

/** The story goes on where it was left; who comes in late hears it from somewhere in the middle. */
function storyAfter(scene: Scene): Said | undefined {
  const { script, heard, random } = scene;
  const { length } = script.story;
  const ending = heard.own[placeOfStory(scene)]?.slice(-STORY_ENDING_CHARS);
  const told = ending === undefined ? undefined : script.storyByEnding.get(ending);
  const beginning = heard.own.length < FIRST_REPLIES ? 0 : Math.floor(random() * length);
  return nextFrom(scene, script.story, told === undefined ? beginning : told + 1);
}

function moodFrom({ script, heard, words }: Scene): Mood {
  if (script.sways.size === 0) return 'calm';
  const affects: Affects = [0, 0, 0];
  sway(affects, words.lower, script.sways, 1);
  let weight = FADING;
  for (const text of heard.before.slice(0, MOODY_MESSAGES)) {
    sway(affects, wordsOf(text.slice(-MOODY_CHARS)).lower, script.sways, weight);
    weight *= FADING;
  }
  return moodOf(affects);
}
