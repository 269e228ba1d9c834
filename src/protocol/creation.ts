import { z } from 'zod';
import { guardSettings } from './guard.ts';
import { knowledgeUses } from './knowledge.ts';
import { approval, onCircuitOpen } from './settings.ts';
import { line, text } from './text.ts';
import { decisionOf, speaks, turnPolicyOf, when } from './voices.ts';

function wholeNumber(minimum: number, maximum: number) {
  const error = `takes a whole number from ${minimum} to ${maximum.toLocaleString('en')}`;
  return z.number({ error }).int({ error, abort: true }).min(minimum, { error }).max(maximum, { error });
}

function decimal(minimum: number, maximum: number) {
  const error = `takes a number from ${minimum} to ${maximum.toLocaleString('en')}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

const MAX_FALLBACKS = 4;
const MAX_METADATA_ENTRIES = 16;
const MAX_METADATA_CHARACTERS = 512;

const choice = { provider: z.string().min(1).max(64), model: line(200).optional() };

const agent = z.strictObject({
  ...choice,
  // Left out where a scenario says it, or leaves it to what is configured.
  provider: choice.provider.optional(),
  name: line(64).optional(),
  fallbacks: z
    .array(z.strictObject(choice))
    .max(MAX_FALLBACKS, `takes at most ${MAX_FALLBACKS} fallbacks`)
    .optional(),
  instructions: text(20_000).optional(),
  temperature: decimal(0, 2).optional(),
  maxOutputTokens: wholeNumber(1, 32_000).optional(),
  speaks: speaks.nullish(),
  knowledge: knowledgeUses.nullish(),
});

/** Who moderates or judges, and is no participant. */
const outsider = agent.omit({ speaks: true, knowledge: true });

const share = { error: 'takes a number above 0 up to 1' };
const aboveZero = { error: 'takes a number above 0' };
const termination = z.strictObject({
  phrases: z.array(text(200)).max(100, 'takes at most 100 phrases').optional(),
  minTurns: wholeNumber(0, 10_000).optional(),
  similarity: z
    .strictObject({
      threshold: z
        .number(share)
        .gt(0, { ...share, abort: true })
        .max(1, share)
        .optional(),
      consecutive: wholeNumber(1, 10).optional(),
      nudge: z.boolean({ error: 'takes true or false' }).optional(),
    })
    .optional(),
  maxTotalTokens: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  maxCostUsd: z.number(aboveZero).gt(0, aboveZero).max(1e9).optional(),
  when: when.nullish(),
});

const metadataValue = z.union(
  [
    z
      .string()
      .refine((value) => value.isWellFormed() && !value.includes('\0'))
      .refine((value) => [...value].length <= MAX_METADATA_CHARACTERS),
    z.number(),
    z.boolean(),
  ],
  { error: `takes a string of at most ${MAX_METADATA_CHARACTERS} characters, a number, or true or false` },
);
const metadata = z
  .record(line(MAX_METADATA_CHARACTERS), metadataValue)
  .refine((entries) => Object.keys(entries).length <= MAX_METADATA_ENTRIES, {
    error: `takes at most ${MAX_METADATA_ENTRIES} entries`,
  });

/**
 * The body of POST /conversations; docs/protocol.md, section 2.1.
 *
 * @param maxMessageLength code points, from the server's configuration
 */
export function creationRequest(maxMessageLength: number) {
  return z
    .strictObject({
      topic: text(2000),
      // Null takes out what a scenario says; without one it stands for nothing but in what version 1 began without.
      agents: z.array(agent).min(1, 'takes 2 to 16 agents').max(16, 'takes 2 to 16 agents').nullish(),
      openingMessage: text(maxMessageLength).nullish(),
      maxTurns: wholeNumber(1, 10_000).nullish(),
      timeoutSeconds: wholeNumber(1, 86_400).nullish(),
      contextMessages: wholeNumber(1, 100).nullish(),
      turnDelayMs: wholeNumber(0, 60_000).nullish(),
      onCircuitOpen: onCircuitOpen.nullish(),
      approval: approval.nullish(),
      guard: guardSettings.nullish(),
      scenario: line(64).nullish(),
      turnPolicy: turnPolicyOf(outsider).nullish(),
      decision: decisionOf(outsider).nullish(),
      termination: termination.nullish(),
      knowledge: knowledgeUses.nullish(),
      metadata: metadata.nullish(),
    })
    .meta({
      id: 'CreateConversation',
      examples: [
        { topic: 'Should science be open by default?', maxTurns: 10 },
        {
          topic: 'Is a hot dog a sandwich?',
          agents: [
            { provider: 'embedded', model: 'eliza', name: 'Ada' },
            { provider: 'embedded', model: 'parry', name: 'Ben' },
          ],
          maxTurns: 6,
        },
      ],
    });
}

/** What a scenario says of a conversation: all that a request may, but the topic. */
export function scenarioSettings(maxMessageLength: number) {
  return creationRequest(maxMessageLength).omit({ topic: true, scenario: true });
}

/** What a request may say about an agent; all but the provider has a default. */
export type AgentRequest = z.infer<typeof agent>;

/** A checked request for a conversation, before the defaults. */
export type ConversationRequest = z.infer<ReturnType<typeof creationRequest>>;
