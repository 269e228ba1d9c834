import { expect, it, onTestFinished } from 'vitest';
import { BUILT_IN_SCENARIOS } from '../../src/conversation/scenarios/built-in.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { readLog } from '../fixtures/talks.ts';
import { answer, type Behaviour, fault, startVendor, type VendorKind } from '../fixtures/vendors.ts';

interface Schema {
  type: string | readonly string[];
  enum?: readonly unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
}

/** Where a vendor's request has its schema, in the vendor's own way. */
function schemaIn(kind: VendorKind, body: object): Schema | undefined {
  const at = (value: unknown, ...path: string[]): unknown =>
    path.reduce<unknown>((inner, name) => Object(inner)[name], value);
  const path = {
    openai: ['response_format', 'json_schema', 'schema'],
    anthropic: ['output_config', 'format', 'schema'],
    gemini: ['generationConfig', 'responseJsonSchema'],
  }[kind];
  return at(body, ...path) as Schema | undefined;
}

/** What a model says that keeps to a schema and to nothing else: of scores one for each participant and criterion. */
function keepingTo({ type, enum: options, properties, items }: Schema, asked: number): unknown {
  const named = options?.filter((option) => option !== null);
  if (named) return named[asked % named.length];
  if (properties?.['scores']) {
    const score = properties['scores'].items?.properties ?? {};
    const scores = (score['agent']?.enum ?? []).flatMap((agent, place) =>
      (score['criterion']?.enum ?? []).map((criterion) => ({
        agent,
        criterion,
        why: 'It is.',
        score: 4 - place,
      })),
    );
    return { scores, summary: 'All in all.' };
  }
  if (properties) {
    const fields = Object.entries(properties).filter(([name]) => name !== 'over');
    return Object.fromEntries(fields.map(([name, field]) => [name, keepingTo(field, asked)]));
  }
  if (items) return [keepingTo(items, asked)];
  return type === 'string' ? 'It is so.' : 1;
}

/** What a model says that knows no schemas, but reads: JSON in a fence with words around it. */
function inWords(prompt: string): string {
  const fenced = (said: object): string =>
    `Let me see.\n\`\`\`json\n${JSON.stringify(said)}\n\`\`\`\nThat is all.`;
  if (prompt.includes('You moderate a talk')) return 'I would hear somebody else: Ada or Ben.';
  if (prompt.includes('now you vote')) {
    const options = [...prompt.matchAll(/\\n- ([^\\"]+)/g)].map(([, option]) => option ?? '');
    return fenced({ why: 'so', choice: prompt.includes('["OPTION", …]') ? [options[0]] : options[0] });
  }
  return 'No, I say.';
}

const VENDORS = [
  { id: 'claude', kind: 'anthropic', key: 'ANTHROPIC', base: 'ANTHROPIC' },
  { id: 'chatgpt', kind: 'openai', key: 'OPENAI', base: 'OPENAI' },
  { id: 'gemini', kind: 'gemini', key: 'GOOGLE', base: 'GEMINI' },
  { id: 'grok', kind: 'openai', key: 'XAI', base: 'XAI' },
  { id: 'perplexity', kind: 'openai', key: 'PERPLEXITY', base: 'PERPLEXITY' },
] as const;

/** Plays every scenario with a vendor alone, and gives what came of each. */
async function playAll(environment: Record<string, string>) {
  const server = await startServer(environment);
  return await Promise.all(
    BUILT_IN_SCENARIOS.map(async ({ name }) => {
      const body = { topic: 'Is tea better than coffee?', scenario: name };
      const made = await call(server.url, '/conversations', { body });
      expect([made.status, made.text]).toEqual([201, expect.anything()]);
      const { id } = made.body as { id: string };
      return { name, over: await ended(server.url, id), log: await readLog(server.url, id) };
    }),
  );
}

const ENDS = ['completed', 'max_turns', 'phrase', 'condition', 'consensus', 'repetition'];

it.each(VENDORS)(
  '9.2, 9.6: every scenario runs with $id, who is asked for JSON in its own way',
  async ({ id, kind, key, base }) => {
    const kinds: string[] = [];
    let calls = 0;
    const vendor = await startVendor(kind, ({ body }): Behaviour => {
      const number = calls++;
      const schema = schemaIn(kind, body as object);
      if (!schema) return answer([`Answer ${number}: `, `w${number} x${number} y${number}.`]);
      kinds.push(Object.keys(schema.properties ?? {}).join(' '));
      return answer(JSON.stringify(keepingTo(schema, number)));
    });
    onTestFinished(vendor.close);
    const played = await playAll({
      [`${key}_API_KEY`]: 'k-1234567890',
      [`${base}_BASE_URL`]: vendor.baseUrl,
    });
    for (const { name, over, log } of played) {
      expect([name, over.termination?.reason]).toEqual([name, expect.toBeOneOf(ENDS)]);
      expect(over.agents.map(({ provider }) => provider)).toEqual(over.agents.map(() => id));
      const asked = log.filter(({ type }) => type === 'ballot.cast');
      expect(asked.filter((event) => 'choice' in event && event.choice === null)).toEqual([]);
      expect([name, over.outcome !== null]).toEqual([name, over.settings.decision !== undefined]);
      const choices = log.flatMap((event) => (event.type === 'speaker.chosen' ? [event.by] : []));
      expect(choices).toEqual(choices.map(() => 'moderator'));
    }
    const verdicts = played.flatMap(({ log }) => log.filter(({ type }) => type === 'verdict.given'));
    expect(verdicts).toContainEqual(
      expect.objectContaining({ scores: expect.arrayContaining([expect.anything()]) }),
    );
    expect(new Set(kinds)).toEqual(new Set(['agent over', 'why choice', 'scores summary']));
  },
);

it('9.2, 9.6: every scenario runs with a local model that can do no schemas, and it is tried with one once', async () => {
  let refused = 0;
  const vendor = await startVendor('openai', ({ body }): Behaviour => {
    if (schemaIn('openai', body as object)) {
      refused++;
      return fault({
        status: 400,
        headers: {},
        body: { error: { message: 'response_format is not supported' } },
      });
    }
    return answer(inWords(JSON.stringify(body)));
  });
  onTestFinished(vendor.close);
  const played = await playAll({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'small' });
  for (const { name, over, log } of played) {
    expect([name, over.termination?.reason]).toEqual([name, expect.toBeOneOf(ENDS)]);
    const ballots = log.flatMap((event) => (event.type === 'ballot.cast' ? [event.choice] : []));
    expect(ballots).not.toContain(null);
  }
  // Those that are asked at the same time, before the first has an answer.
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(20);
});
