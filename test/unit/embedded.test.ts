import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openingEvents, replyEvent } from '../../src/conversation/log/events.ts';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { apply, type ConversationState, fold } from '../../src/conversation/log/state.ts';
import { loopIn } from '../../src/conversation/policies/loops.ts';
import { promptFor } from '../../src/conversation/turn/prompt.ts';
import type { AnswerPart, GenerateRequest } from '../../src/conversation/turn/provider.ts';
import { ELIZA } from '../../src/embedded-pair/eliza.ts';
import { reply } from '../../src/embedded-pair/engine.ts';
import { PARRY } from '../../src/embedded-pair/parry.ts';
import { EMBEDDED_MODELS, embeddedProvider } from '../../src/embedded-pair/provider.ts';
import { reflected } from '../../src/embedded-pair/reflection.ts';
import { topicOf } from '../../src/embedded-pair/topic.ts';
import { wordsOf } from '../../src/embedded-pair/words.ts';

type Model = (typeof EMBEDDED_MODELS)[number];
interface Line {
  sender: string;
  content: string;
}

const NOW = new Date('2026-01-01T00:00:00Z');
const OPEN_SCIENCE = 'Should science be open by default?';
const TOPICS = [
  OPEN_SCIENCE,
  'Tabs or spaces?',
  '量子力学',
  '🦄',
  'Coffee',
  'What is the meaning of life?',
  'Do animals dream?',
  'Remote work',
  'x',
  '???',
  'هل العلم مفتوح؟',
  'The unexamined life is not worth living',
  'We have been arguing for months about whether to rewrite the billing service. '.repeat(25),
];
const PAIRS: readonly (readonly Model[])[] = [
  ['eliza', 'parry'],
  ['eliza', 'eliza'],
  ['parry', 'parry'],
];

function say(model: Model, request: GenerateRequest): string {
  return reply(model === 'parry' ? PARRY : ELIZA, request);
}

function settingsOf(topic: string, models: readonly Model[]): ConversationSettings {
  return {
    topic,
    agents: models.map((model, index) => ({
      name: `${model === 'parry' ? 'Parry' : 'Eliza'} ${index + 1}`,
      provider: 'embedded',
      model,
      temperature: 1,
      maxOutputTokens: 1_000,
    })),
    openingMessage: topic,
    maxTurns: 1_000,
    timeoutSeconds: 3_600,
    contextMessages: 10,
    termination: { phrases: ['[done]'], minTurns: 2, similarity: { threshold: 0.85, consecutive: 2 } },
    metadata: {},
  };
}

/** The request of an agent called Me for what was said so far. */
function requestFor(model: Model, topic: string, lines: readonly Line[], seed = 'seed'): GenerateRequest {
  const settings = settingsOf(topic, [model, model]);
  const [me, other] = settings.agents;
  if (!me || !other) throw new Error('two agents are needed');
  const agents = [
    { ...me, name: 'Me' },
    { ...other, name: 'You' },
  ];
  const prompt = promptFor({ ...settings, agents }, 0, lines.slice(-10));
  return { ...prompt, model, temperature: 1, maxOutputTokens: 1_000, seed };
}

const answerTo = (model: Model, text: string, seed: string, topic = OPEN_SCIENCE): string =>
  say(model, requestFor(model, topic, earlierAnd(text), seed));

/** A talk under way, so that nobody greets anybody. */
const earlierAnd = (text: string): Line[] => [
  { sender: 'You', content: 'Well then.' },
  { sender: 'Me', content: 'Well.' },
  { sender: 'You', content: text },
];

/** Lets the agents talk in turn, and returns what was said and why it ended before `turns`, if it did. */
function talk(topic: string, models: readonly Model[], turns: number, seed: string) {
  const settings = settingsOf(topic, models);
  const lines: Line[] = [{ sender: 'Moderator', content: topic }];
  let state: ConversationState | undefined = fold(undefined, openingEvents(settings, NOW));
  for (let turn = 1; turn <= turns && state; turn++) {
    const index = (turn - 1) % models.length;
    const model = models[index] ?? 'eliza';
    const prompt = promptFor(settings, index, lines.slice(-settings.contextMessages));
    const request = { ...prompt, model, temperature: 1, maxOutputTokens: 1_000, seed: `${seed}:${turn}` };
    const content = say(model, request);
    lines.push({ sender: request.agent, content });
    const message = { turn, sender: request.agent, content, metadata: {} };
    state = apply(state, replyEvent(state.lastSeq + 1, NOW, message));
    const ending = loopIn(state.loops);
    if (ending) return { lines, ending };
  }
  return { lines, ending: undefined };
}

async function collected(parts: AsyncIterable<AnswerPart>): Promise<AnswerPart[]> {
  const all: AnswerPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

const textOf = (parts: readonly AnswerPart[]): string =>
  parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

describe('reflection', () => {
  test.each([
    ['I am afraid of my own phone', 'you are afraid of your own phone'],
    ['you are watching me', 'I am watching you'],
    ['they told you that I was wrong', 'they told me that you were wrong'],
    ["you're not with them", 'I am not with them'],
    ['I gave your book to you', 'you gave my book to me'],
    ['what you think is yours', 'what I think is mine'],
  ])('turns "%s" round', (said, heard) => {
    const words = wordsOf(said);
    expect(reflected(words, 0, words.raw.length)).toBe(heard);
  });

  test('an echo is cut at a thought, or left out, but never long', () => {
    const long = wordsOf(
      'I keep the ticket in a place where it is dry because the bookie would like to have it back',
    );
    expect(reflected(long, 0, long.raw.length)).toBe('you keep the ticket in a place');
    const endless = wordsOf(
      'every single day of every single week of every single month of every single year',
    );
    expect(reflected(endless, 0, endless.raw.length)).toBeUndefined();
  });
});

describe('a topic', () => {
  test.each([
    [OPEN_SCIENCE, 'science', 'whether science should be open by default'],
    ['Tabs or spaces?', 'tabs and spaces', 'tabs or spaces'],
    ['量子力学', '量子力学', '量子力学'],
    ['Can machines think?', 'machines', 'whether machines can think'],
    ['Does God exist?', 'God', 'whether God exists'],
    ['Is the earth flat?', 'the earth', 'whether the earth is flat'],
    ['Should I quit my job?', 'job', "whether one should quit one's job"],
    ['Why do cats purr?', 'cats', 'why cats purr'],
    ['What is the meaning of life?', 'the meaning of life', 'what the meaning of life is'],
    ['Discuss the future of work', 'the future of work', 'the future of work'],
    ['Remote work', 'remote work', 'remote work'],
    ['Paris', 'Paris', 'Paris'],
    ['AI', 'AI', 'AI'],
    [' \u0000 ', 'this', 'this'],
  ])('%j is about %j', (text, subject, question) => {
    expect(topicOf(text)).toMatchObject({ subject, question });
  });
});

describe('a reply', () => {
  test('is the same for the same request, and another for another seed', () => {
    for (const model of EMBEDDED_MODELS) {
      const replies = Array.from({ length: 20 }, (_, index) =>
        answerTo(model, 'I trust my machine.', `${index}`),
      );
      const again = Array.from({ length: 20 }, (_, index) =>
        answerTo(model, 'I trust my machine.', `${index}`),
      );
      expect(again).toEqual(replies);
      expect(new Set(replies).size).toBeGreaterThan(10);
    }
  });

  test('takes up what was said', () => {
    const seeds = Array.from({ length: 20 }, (_, index) => `${index}`);
    const answers = (model: Model, text: string) =>
      seeds.map((seed) => answerTo(model, text, seed)).join('\n');
    expect(answers('eliza', 'I never told my sister about the red umbrella.')).toContain(
      'you never told your sister about the red umbrella',
    );
    expect(answers('eliza', 'I am afraid of my neighbours.')).toMatch(/been afraid of your neighbours\?/u);
    expect(answers('parry', 'Do you often think about the sea?')).toContain('I often think about the sea');
    expect(answers('parry', 'What do you feel when you think about bookies?')).toMatch(/bookie/u);
  });

  test('works the topic in', () => {
    for (const model of EMBEDDED_MODELS) {
      const { lines } = talk('Should zeppelins return?', [model, model], 20, 'topic');
      const naming = lines.filter(({ content }) => content.includes('zeppelin'));
      expect(naming.length).toBeGreaterThan(8);
    }
  });

  test('opens with the topic when only the moderator has spoken, and greets whoever opened', () => {
    const { lines } = talk(OPEN_SCIENCE, ['eliza', 'parry'], 2, 'greeting');
    expect(lines[1]?.content).toMatch(/^(?:How do you do|Good day|Welcome|Hello)/u);
    expect(lines[1]?.content).toContain('science');
    expect(lines[2]?.content).not.toContain('Moderator');
  });

  test('remarks on a partner who repeats itself', () => {
    const said = 'The moon is made of green cheese and that is all there is to it.';
    const lines = [
      { sender: 'You', content: said },
      { sender: 'Me', content: 'Is it?' },
      { sender: 'You', content: said },
    ];
    expect(say('eliza', requestFor('eliza', 'Coffee', lines))).toMatch(
      /again|before|second time|repeat|very same|exactly this|twice/u,
    );
    expect(say('parry', requestFor('parry', 'Coffee', lines))).toMatch(
      /again|already|first time|[Tt]wice|repeat|same/u,
    );
  });

  test('calls the partner by name only where more than two talk', () => {
    const group = talk('Coffee', ['eliza', 'parry', 'eliza', 'parry'], 40, 'group').lines;
    expect(group.some(({ content }) => /^(?:Eliza|Parry) \d, /u.test(content))).toBe(true);
    const pair = talk('Coffee', ['eliza', 'parry'], 40, 'pair').lines;
    expect(pair.some(({ content }) => /^(?:Eliza|Parry) \d, /u.test(content))).toBe(false);
  });
});

describe('the characters', () => {
  test('she asks, he tells', () => {
    let asked = 0;
    let told = 0;
    for (const seed of ['a', 'b', 'c']) {
      for (const { sender, content } of talk(OPEN_SCIENCE, ['eliza', 'parry'], 50, seed).lines) {
        if (sender.startsWith('Eliza') && content.endsWith('?')) asked++;
        if (sender.startsWith('Parry') && !content.endsWith('?')) told++;
      }
    }
    expect(asked).toBeGreaterThan(60);
    expect(told).toBeGreaterThan(60);
  });

  test('he tells his story in order, although he remembers nothing but what he is shown', () => {
    const said = talk(OPEN_SCIENCE, ['eliza', 'parry'], 50, 'story').lines.map(({ content }) => content);
    const [races = -1, mare = -1, bookie = -1] = [
      'to the races now and then',
      'There was a grey mare',
      'never paid me',
    ].map((part) => said.findIndex((content) => content.includes(part)));
    expect(races).toBeGreaterThan(0);
    expect(mare).toBeGreaterThan(races);
    expect(bookie).toBeGreaterThan(mare);
  });

  test('his mood follows what he hears', () => {
    const seeds = Array.from({ length: 60 }, (_, index) => `${index}`);
    const moods = (text: string) => {
      const said = seeds.map((seed) => answerTo('parry', text, seed)).join('\n');
      const count = (mood: keyof typeof PARRY.moods) =>
        PARRY.moods[mood].filter(({ anchor }) => said.includes(anchor)).length;
      return { calm: count('calm'), angry: count('angry'), afraid: count('afraid') };
    };
    expect(moods('Thank you, I agree.')).toMatchObject({ angry: 0, afraid: 0 });
    expect(moods('You are a liar and you are crazy.').angry).toBeGreaterThan(2);
    expect(moods('The Mafia is watching that door at night.').afraid).toBeGreaterThan(2);
  });
});

describe('a talk', () => {
  test.each(PAIRS)('of %s and %s goes on for 50 turns about anything', (...models) => {
    for (const topic of TOPICS) {
      for (let seed = 0; seed < 8; seed++) {
        const { lines, ending } = talk(topic, models, 50, `${seed}`);
        expect(ending, `${topic.slice(0, 40)} with seed ${seed}`).toBeUndefined();
        for (const { content } of lines.slice(1)) {
          const words = content.split(' ').length;
          expect(words).toBeGreaterThan(2);
          expect(words).toBeLessThan(80);
          expect(content.toLowerCase()).not.toContain('[done]');
        }
      }
    }
  });

  test('of 300 turns is ended by repetition in fewer than one case of twenty', () => {
    let ended = 0;
    let talks = 0;
    for (const models of [...PAIRS, ['eliza', 'parry', 'parry', 'eliza', 'parry'] as const]) {
      for (const topic of TOPICS.slice(0, 6)) {
        talks++;
        if (talk(topic, models, 300, 'long').ending) ended++;
      }
    }
    expect(ended / talks).toBeLessThan(0.05);
  });

  test('of sixteen goes on, too', () => {
    const models = Array.from({ length: 16 }, (_, index): Model => (index % 2 === 0 ? 'eliza' : 'parry'));
    expect(talk(OPEN_SCIENCE, models, 160, 'crowd').ending).toBeUndefined();
  });

  test('reads well on average: 8 to 40 words a reply', () => {
    const { lines } = talk(OPEN_SCIENCE, ['eliza', 'parry'], 100, 'length');
    const lengths = lines.slice(1).map(({ content }) => content.split(' ').length);
    expect(lengths.filter((length) => length >= 8 && length <= 40).length).toBeGreaterThan(85);
  });
});

describe('whatever is said', () => {
  // Without what the check below takes for a slot that was left unfilled.
  const anything = fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: 120 }),
      fc.string({ unit: 'grapheme', maxLength: 120 }),
      fc.constantFrom(
        '🦄',
        '👨‍👩‍👧‍👦',
        '量子力学。どう思いますか？',
        'هل هذا صحيح؟',
        '\u202eabc\u202c',
        '\u0000\u0007',
        '\ud800',
        ' ',
        '[done]',
      ),
      fc
        .constantFrom('word ', 'I am ', '\n\n', 'x', '"', 'You: ', '漢', '🙂')
        .map((piece) => piece.repeat(2_000)),
    )
    .map((text) => text.replaceAll(/[{}]|undefined/g, ''));
  const lines = fc.array(
    fc.record({ sender: fc.constantFrom('Me', 'You', 'Moderator'), content: anything }),
    {
      maxLength: 12,
    },
  );

  test('the reply is not empty, well-formed and of bounded length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...EMBEDDED_MODELS),
        anything,
        lines,
        fc.string(),
        (model, topic, said, seed) => {
          const request = requestFor(model, topic, said, seed);
          const text = say(model, request);
          expect(text.trim()).not.toBe('');
          expect(text.isWellFormed()).toBe(true);
          expect(text.length).toBeLessThan(1_000);
          expect(text).not.toMatch(/[\p{Cc}{}]|undefined|\[done\]/u);
          expect(say(model, request)).toBe(text);
        },
      ),
      { numRuns: 600 },
    );
  });
});

describe('the stream', () => {
  const request = requestFor('parry', OPEN_SCIENCE, earlierAnd('Do you trust me?'));
  const quiet = new AbortController().signal;

  test('is the text word by word, then the finish with estimated tokens', async () => {
    const parts = await collected(embeddedProvider({ tokenDelayMs: 0 }).generate(request, quiet));
    const text = say('parry', request);
    expect(textOf(parts)).toBe(text);
    const words = text.split(' ').length;
    expect(parts).toHaveLength(words + 1);
    for (const part of parts.slice(0, -2))
      expect(part).toMatchObject({ text: expect.stringMatching(/^\S+ $/u) });
    const shown = request.messages.reduce((sum, { content }) => sum + content.length, request.system.length);
    expect(parts.at(-1)).toEqual({
      type: 'finish',
      finishReason: 'stop',
      usage: { inputTokens: Math.ceil(shown / 4), outputTokens: Math.round((words * 4) / 3) },
    });
  });

  test.each([1, 2, 3, 8])('stops at %i output tokens', async (maxOutputTokens) => {
    const short = { ...request, maxOutputTokens };
    const parts = await collected(embeddedProvider({ tokenDelayMs: 0 }).generate(short, quiet));
    const finish = parts.find((part) => part.type === 'finish');
    expect(finish?.finishReason).toBe('length');
    expect(finish?.usage?.outputTokens).toBeLessThanOrEqual(maxOutputTokens);
    expect(say('parry', request).startsWith(textOf(parts))).toBe(true);
    expect(textOf(parts)).toMatch(/\S$/u);
  });

  test('waits between the words', async () => {
    const started = performance.now();
    const short = { ...request, maxOutputTokens: 8 };
    const parts = await collected(embeddedProvider({ tokenDelayMs: 10 }).generate(short, quiet));
    expect(performance.now() - started).toBeGreaterThanOrEqual((parts.length - 2) * 10 - 5);
  });

  test('ends at once, with the reason of the signal, when it is aborted in a wait', async () => {
    const controller = new AbortController();
    const reason = new Error('the server is going down');
    const started = performance.now();
    const seen: AnswerPart[] = [];
    const run = async () => {
      for await (const part of embeddedProvider({ tokenDelayMs: 60_000 }).generate(
        request,
        controller.signal,
      )) {
        seen.push(part);
        setImmediate(() => controller.abort(reason));
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(seen).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  test.each([0, 60_000])(
    'does not begin under an aborted signal, with a wait of %i ms',
    async (tokenDelayMs) => {
      const aborted = AbortSignal.abort(new Error('too late'));
      await expect(collected(embeddedProvider({ tokenDelayMs }).generate(request, aborted))).rejects.toThrow(
        'too late',
      );
    },
  );

  test.each([0, 60_000])(
    'ends when it is aborted between two words, with a wait of %i ms',
    async (tokenDelayMs) => {
      const controller = new AbortController();
      const answer = embeddedProvider({ tokenDelayMs }).generate(request, controller.signal);
      const parts = answer[Symbol.asyncIterator]();
      expect((await parts.next()).value).toMatchObject({ type: 'text' });
      controller.abort(new Error('enough'));
      await expect((async () => await parts.next())()).rejects.toThrow('enough');
    },
  );
});
