import { z } from 'zod';

const aboveZero = { error: 'takes a number above 0' };
const count = z.number(aboveZero).int({ error: 'takes a whole number' }).min(1, aboveZero);
const seconds = z.number(aboveZero).gt(0, aboveZero).max(86_400, { error: 'takes at most 86400 seconds' });
const dollars = z.number({ error: 'takes a number' }).min(0, { error: 'takes a number from 0' });

/** What an operator may say of a model: its vendor's limits and its price. */
const modelSettings = z.strictObject({
  /** These two of all instances on one Redis together. */
  requestsPerMinute: count.optional(),
  tokensPerMinute: count.optional(),
  /** At once; below it the number is found out by what the vendor refuses. */
  maxConcurrentCalls: count.optional(),
  firstTokenTimeoutSeconds: seconds.optional(),
  callTimeoutSeconds: seconds.optional(),
  /** US dollars for a million tokens. */
  price: z.strictObject({ input: dollars, output: dollars }).optional(),
});

export type ModelSettings = z.infer<typeof modelSettings>;

/** By `provider` or `provider/model`; a model's name stands for its dated versions, too. */
export type ModelTable = Readonly<Record<string, ModelSettings>>;

/** Reads MODEL_SETTINGS: a JSON object such as `{"chatgpt/gpt-5.5": {"requestsPerMinute": 500}}`. */
export const modelTable = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'takes a JSON object', fatal: true });
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), modelSettings, { error: 'takes a JSON object' }));

/** What a table says of a model: of its provider, and over it of the longest name that it is a version of. */
export function modelSettingsOf(table: ModelTable, provider: string, model: string): ModelSettings {
  const name = nameInTable(table, provider, model);
  return { ...table[provider], ...(name === undefined ? {} : table[`${provider}/${name}`]) };
}

/** The longest name in a table that a model is a version of. */
export function nameInTable(table: ModelTable, provider: string, model: string): string | undefined {
  const prefix = `${provider}/`;
  return Object.keys(table)
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .filter((name) => isVersionOf(name, model))
    .sort((left, right) => right.length - left.length)[0];
}

/** The models that a table names, as pairs of provider and model. */
export function modelsIn(table: ModelTable): [provider: string, model: string][] {
  return Object.keys(table).flatMap((key): [string, string][] => {
    const slash = key.indexOf('/');
    return slash < 0 ? [] : [[key.slice(0, slash), key.slice(slash + 1)]];
  });
}

/** `gpt-4.1` means `gpt-4.1-2025-04-14`, too, and not `gpt-4.15`. */
export function isVersionOf(name: string, model: string): boolean {
  return model === name || model.startsWith(`${name}-`);
}
