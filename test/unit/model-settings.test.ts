import { expect, it } from 'vitest';
import { modelSettingsOf, modelTable } from '../../src/config/model-settings.ts';

const table = {
  chatgpt: { requestsPerMinute: 100, callTimeoutSeconds: 30 },
  'chatgpt/gpt-5': { requestsPerMinute: 10 },
  'chatgpt/gpt-5-mini': { price: { input: 1, output: 2 } },
};

it('what is said of a model goes over what is said of its provider', () => {
  expect(modelSettingsOf(table, 'chatgpt', 'o9')).toEqual({ requestsPerMinute: 100, callTimeoutSeconds: 30 });
  expect(modelSettingsOf(table, 'chatgpt', 'gpt-5')).toMatchObject({ requestsPerMinute: 10 });
  expect(modelSettingsOf(table, 'claude', 'gpt-5')).toEqual({});
});

it('a name stands for its versions, the longest first, and for no other model', () => {
  expect(modelSettingsOf(table, 'chatgpt', 'gpt-5-mini-2026-01-01')).toMatchObject({ price: { input: 1 } });
  expect(modelSettingsOf(table, 'chatgpt', 'gpt-5-2026')).toMatchObject({ requestsPerMinute: 10 });
  expect(modelSettingsOf(table, 'chatgpt', 'gpt-55')).toMatchObject({ requestsPerMinute: 100 });
});

it.each([
  ['{', 'takes a JSON object'],
  ['[1]', 'takes a JSON object'],
  ['{"chatgpt": {"requestsPerMinute": 0}}', 'takes a number above 0'],
  ['{"chatgpt": {"requestPerMinute": 1}}', 'requestPerMinute'],
])('refuses %j and says why', (text, why) => {
  expect(modelTable.safeParse(text).error?.message).toContain(why);
});
