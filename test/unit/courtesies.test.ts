import { describe, expect, it } from 'vitest';
import { carriesContent, courtesyIn } from '../../src/conversation/policies/courtesies.ts';

const talk = { topic: 'Why do bees dance?', names: ['Ada', 'Claude 2'] };

function isCourtesy(content: string, topic = talk.topic, known: string[] = []): boolean {
  const courtesy = courtesyIn(content, { ...talk, topic }, known);
  return courtesy !== undefined && !carriesContent(courtesy);
}

describe('a courtesy', () => {
  it.each([
    'Thank you!',
    'Thanks, Ada!',
    'Goodbye, Claude 2.',
    'I couldn’t agree more.',
    'You too',
    'May your curiosity never fade. Farewell, and thank you!',
    'Is there anything else? Thank you.',
    'Vielen Dank, gern geschehen!',
    'Merci beaucoup, c’était un plaisir.',
    '¡Muchas gracias, igualmente!',
    '谢谢！',
    '👍🏽',
    '❤️',
  ])('is nothing but polite: %j', (content) => {
    expect(isCourtesy(content)).toBe(true);
  });

  it.each([
    ['a number', 'Thank you, 40 then.'],
    ['a question', 'Agreed?'],
    ['a reason', 'I agree, because you say so.'],
    ['an objection', 'I agree, but not with you.'],
    ['a new word', 'Thank you: lamb.'],
    ['a word of the topic', 'Thanks: bees!'],
    ['no words', '…'],
    ['nothing', ''],
    ['an emoji that tells something', '🐝🌻'],
    ['an answer', 'Canberra.'],
    ['a long text', 'Thank you! '.repeat(30)],
  ])('is not what carries content: %s', (_, content) => {
    expect(isCourtesy(content)).toBe(false);
  });

  it('is not what the talk is about', () => {
    expect(isCourtesy('Thank you kindly!', 'How to say thank you kindly')).toBe(false);
  });

  it('may have a word again that was new once', () => {
    expect(isCourtesy('Bye, zebra!')).toBe(false);
    expect(isCourtesy('Bye, zebra!', talk.topic, ['zebra'])).toBe(true);
  });
});
