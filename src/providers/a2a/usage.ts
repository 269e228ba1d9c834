import type { Usage } from '../answer.ts';

/** Where agents put it in the metadata of tasks and messages; A2A itself has no place for it. */
const PLACES = ['usage', 'tokenUsage', 'token_usage', 'adk_usage_metadata', 'usageMetadata'];
const INPUT = [
  'inputTokens',
  'input_tokens',
  'promptTokens',
  'prompt_tokens',
  'promptTokenCount',
  'prompt_token_count',
];
const OUTPUT = [
  'outputTokens',
  'output_tokens',
  'completionTokens',
  'completion_tokens',
  'candidatesTokenCount',
  'candidates_token_count',
];

/** The tokens that an agent says it took, by the names that vendors and frameworks have for them. */
export function usageIn(metadata: Record<string, unknown> | undefined): Usage | undefined {
  for (const place of PLACES) {
    const told = metadata?.[place];
    const inputTokens = numberIn(told, INPUT);
    const outputTokens = numberIn(told, OUTPUT);
    if (inputTokens !== undefined && outputTokens !== undefined) return { inputTokens, outputTokens };
  }
  return undefined;
}

function numberIn(told: unknown, names: readonly string[]): number | undefined {
  if (typeof told !== 'object' || told === null) return undefined;
  return names.map((name) => Reflect.get(told, name) as unknown).find((value) => typeof value === 'number');
}
