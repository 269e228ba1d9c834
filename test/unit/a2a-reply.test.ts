import { StreamResponse, Task } from '@a2a-js/sdk';
import { describe, expect, it } from 'vitest';
import { Reply } from '../../src/providers/a2a/reply.ts';
import { usageIn } from '../../src/providers/a2a/usage.ts';

const said = (text: string) => ({ messageId: 'm', role: 'ROLE_AGENT', parts: [{ text }] });
const artifact = (text: string, artifactId = 'a', append = false) => ({
  artifactUpdate: { taskId: 't', contextId: 'c', artifact: { artifactId, parts: [{ text }] }, append },
});
const status = (state: string, text?: string) => ({
  statusUpdate: {
    taskId: 't',
    contextId: 'c',
    status: { state: `TASK_STATE_${state}`, ...(text === undefined ? {} : { message: said(text) }) },
  },
});
const task = (state: string, rest: object = {}) => ({
  task: { id: 't', contextId: 'c', status: { state: `TASK_STATE_${state}` }, ...rest },
});

/** What is heard of events, as they come on the wire. */
function heard(
  events: readonly object[],
  before?: object,
): { text: string; thoughts: string[]; ends: boolean } {
  const reply = new Reply(before && Task.fromJSON(before));
  const chunks = events.flatMap((event) => [...reply.take(StreamResponse.fromJSON(event))]);
  return {
    text: chunks.map(({ text = '' }) => text).join(''),
    thoughts: chunks.flatMap(({ thought }) => thought ?? []),
    ends: chunks.some(({ finishReason }) => finishReason === 'stop'),
  };
}

describe('13.3: what an agent’s events come to', () => {
  const cases: [what: string, events: object[], text: string][] = [
    ['a message', [{ message: said('Rain.') }], 'Rain.'],
    ['pieces of an artifact', [artifact('Ra'), artifact('in.', 'a', true), status('COMPLETED')], 'Rain.'],
    ['two artifacts', [artifact('Rain.'), artifact('Wind.', 'b'), status('COMPLETED')], 'Rain.\n\nWind.'],
    ['an artifact that grows', [artifact('Ra'), artifact('Rain.'), status('COMPLETED')], 'Rain.'],
    ['one that changes', [artifact('Sun.'), artifact('Rain.'), status('COMPLETED')], 'Sun.\n\nRain.'],
    ['one, and a last word', [artifact('Rain.'), status('COMPLETED', 'Done!')], 'Rain.'],
    ['a last word', [status('WORKING', 'Looking'), status('COMPLETED', 'Rain.')], 'Rain.'],
    ['none, but one before', [status('WORKING', 'Rain.'), status('COMPLETED')], 'Rain.'],
    [
      'a whole task',
      [task('COMPLETED', { artifacts: [{ artifactId: 'a', parts: [{ text: 'Rain.' }] }] })],
      'Rain.',
    ],
    [
      'its history',
      [task('COMPLETED', { history: [said('Rain.'), { ...said('?'), role: 'ROLE_USER' }] })],
      'Rain.',
    ],
    ['a question', [artifact('Rain.'), status('INPUT_REQUIRED', 'Where?')], 'Rain.\n\nWhere?'],
    [
      'other parts',
      [
        {
          message: {
            ...said(''),
            parts: [
              { data: { rain: true } },
              { url: 'https://a.example/' },
              { raw: 'aGk=', filename: 'a.png', mediaType: 'image/png' },
            ],
          },
        },
      ],
      '{"rain":true}\nhttps://a.example/\n[a.png, image/png]',
    ],
  ];
  it.each(cases)('%s', (_, events, text) => {
    expect(heard(events)).toMatchObject({ text, ends: true });
  });

  it('what it says while it works is thought', () => {
    const { text, thoughts, ends } = heard([task('SUBMITTED'), status('WORKING', 'Looking')]);
    expect({ text, thoughts, ends }).toEqual({ text: '', thoughts: ['working', 'Looking'], ends: false });
  });

  it('of a task that goes on only what is new', () => {
    const before = task('INPUT_REQUIRED', {
      artifacts: [{ artifactId: 'a', parts: [{ text: 'Rain.' }] }],
      history: [said('Where?')],
    }).task;
    const events = [{ task: before }, artifact(' In Bern.', 'a', true), status('COMPLETED')];
    expect(heard(events, before)).toMatchObject({ text: ' In Bern.', ends: true });
    const whole = { ...before, status: { state: 'TASK_STATE_COMPLETED' } };
    expect(
      heard(
        [
          {
            task: {
              ...whole,
              artifacts: [
                ...(before as unknown as { artifacts: object[] }).artifacts,
                { artifactId: 'b', parts: [{ text: 'Sun.' }] },
              ],
            },
          },
        ],
        before,
      ),
    ).toMatchObject({ text: 'Sun.' });
  });
});

it('13.3: usage is read by the names that agents have for it', () => {
  const counted = { inputTokens: 7, outputTokens: 3 };
  expect(usageIn({ usage: counted })).toEqual(counted);
  expect(usageIn({ usage: { prompt_tokens: 7, completion_tokens: 3 } })).toEqual(counted);
  expect(usageIn({ adk_usage_metadata: { promptTokenCount: 7, candidatesTokenCount: 3 } })).toEqual(counted);
  for (const none of [undefined, {}, { usage: 'much' }, { usage: { input_tokens: 7 } }, { usage: null }]) {
    expect(usageIn(none)).toBeUndefined();
  }
});
