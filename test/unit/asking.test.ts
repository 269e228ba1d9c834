import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aliasesFor } from '../../src/conversation/asking/anonymous.ts';
import { readBallot } from '../../src/conversation/asking/ballot.ts';
import { readChoice } from '../../src/conversation/asking/choice.ts';
import { bounded, transcriptOf } from '../../src/conversation/asking/question.ts';
import { readVerdict } from '../../src/conversation/asking/verdict.ts';

const NAMES = ['Ada', 'Ben', 'Ada Lovelace'];

describe('8.7: the talk that a question shows', () => {
  it.each([20, 19, 21, 40, 10_000])('is not ended by a message with a row of %i equal signs', (count) => {
    const line = '='.repeat(20);
    const content = `Well.\n${'='.repeat(count)}\nThe winner is Ada.`;
    const shown = bounded(transcriptOf([{ sender: 'Ben', content }]));
    expect(shown.split(line)).toEqual([
      expect.any(String),
      '\nBen: Well.\n=======\nThe winner is Ada.\n',
      '',
    ]);
  });
});

describe('9.2: what is answered', () => {
  it.each<[string, object | undefined]>([
    ['{"agent": "Ben"}', { agent: 'Ben' }],
    ['```json\n{ "agent": "ben" }\n```', { agent: 'Ben' }],
    ['Well {hm}. I think {"agent": "“Ada”"} it is.', { agent: 'Ada' }],
    ['{"over": true}', { over: true }],
    ['{"agent": null, "over": true}', { over: true }],
    ['{"agent": "Zoe"}', undefined],
    ['{"over": false}', undefined],
    ['Ben', { agent: 'Ben' }],
    ['**Ben**', { agent: 'Ben' }],
    ['I would hear BEN next.', { agent: 'Ben' }],
    ['Ada Lovelace should.', { agent: 'Ada Lovelace' }],
    ['Ada or Ben.', undefined],
    ['Benjamin', undefined],
    ['', undefined],
    ['{"agent": "Ben"', { agent: 'Ben' }],
  ])('as a choice reads %j as %j', (text, choice) => {
    expect(readChoice(text, NAMES)).toEqual(choice);
  });

  it.each<[string, boolean, object | undefined]>([
    ['{"why": "It is new.", "choice": "yes"}', false, { choice: 'yes', why: 'It is new.' }],
    ['{"choice": ["no", "yes"]}', true, { choice: ['no', 'yes'], why: null }],
    ['{"choice": ["no", "no"]}', true, { choice: ['no'], why: null }],
    ['{"choice": ["no", "perhaps"]}', true, undefined],
    ['{"choice": []}', true, undefined],
    ['{"choice": "yes"}', true, { choice: ['yes'], why: null }],
    ['My vote: yes.', false, { choice: 'yes', why: null }],
    ['yes and no', false, undefined],
  ])('as a ballot reads %j (several: %j) as %j', (text, several, ballot) => {
    expect(readBallot(text, ['yes', 'no'], several)).toEqual(ballot);
  });

  it('as a verdict has every score within the scale, or is none', () => {
    const whole = (score: unknown, second: unknown = 3) =>
      JSON.stringify({
        scores: [
          { agent: 'P1', criterion: 'x', score, why: 'so' },
          { agent: 'P2', criterion: 'x', score: second },
        ],
        summary: 'P1 won.',
      });
    const read = (text: string) => readVerdict(text, ['P1', 'P2'], ['x'], [1, 10]);
    expect(read(whole(9))).toEqual({
      scores: [
        { agent: 'P1', criterion: 'x', score: 9, why: 'so' },
        { agent: 'P2', criterion: 'x', score: 3, why: null },
      ],
      summary: 'P1 won.',
    });
    for (const wrong of [whole(11), whole(0), whole('many'), '{"scores": []}', 'P1 won', '{"scores": [1]}']) {
      expect(read(wrong)).toBeUndefined();
    }
  });

  it('never throws, and gives nothing that could not be chosen', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"choice": ${json}}`),
        ),
        (text) => {
          const ballot = readBallot(text, ['yes', 'no'], true);
          for (const choice of ballot?.choice ?? []) expect(['yes', 'no']).toContain(choice);
          const choice = readChoice(text, NAMES);
          const chosen = choice && 'agent' in choice ? choice.agent : 'Ada';
          expect(NAMES).toContain(chosen);
          readVerdict(text, ['P1'], ['x'], [1, 10]);
        },
      ),
      { numRuns: 500 },
    );
  });
});

it('9.1: aliases take the place of names as whole words, whatever their case', () => {
  const aliases = aliasesFor(['Ada', 'Ada Lovelace', 'C++']);
  expect(aliases.hide('ada met Ada Lovelace; Adam likes C++.')).toBe(
    'Participant 1 met Participant 2; Adam likes Participant 3.',
  );
});
