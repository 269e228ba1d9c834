import { z } from 'zod';
import { guardSettings } from './guard.ts';
import { knowledgeUse } from './knowledge.ts';
import { decisionOf, speaks, turnPolicyOf, when } from './voices.ts';

/** A model of a provider. */
const modelChoice = z.object({ provider: z.string(), model: z.string() });

const agentSettings = z.object({
  name: z.string(),
  ...modelChoice.shape,
  /** Who plays the agent where its own model fails or its circuit is open, in this order. */
  fallbacks: z.array(modelChoice).optional(),
  instructions: z.string().optional(),
  temperature: z.number(),
  maxOutputTokens: z.number().int(),
  speaks: speaks.optional(),
  /** What it looks up besides what everybody does. */
  knowledge: z.array(knowledgeUse).optional(),
});

const turnPolicy = turnPolicyOf(agentSettings);
const decision = decisionOf(agentSettings);

export const onCircuitOpen = z.enum(['wait', 'fallback', 'end'], 'takes one of wait, fallback, end');

export const approval = z.enum(['none', 'every_turn', 'flagged'], 'takes none, every_turn or flagged');

/** Everything a conversation was started with, defaults filled in. It is kept in the log's first event. */
export const conversationSettings = z
  .object({
    topic: z.string(),
    agents: z.array(agentSettings),
    openingMessage: z.string(),
    maxTurns: z.number().int(),
    timeoutSeconds: z.number().int(),
    contextMessages: z.number().int(),
    /** What is waited behind each message, in milliseconds; none by default. */
    turnDelayMs: z.number().int().optional(),
    /** What an agent does whose circuit is open; by default `fallback` where it has fallbacks, else `wait`. */
    onCircuitOpen: onCircuitOpen.optional(),
    /** Which replies are held back until somebody lets them through; `none` by default. */
    approval: approval.optional(),
    /** What is to be stricter than the server's guards. */
    guard: guardSettings.optional(),
    /** The scenario that filled in what the request left out. */
    scenario: z.string().optional(),
    /** Who speaks next; `round_robin` by default. */
    turnPolicy: turnPolicy.optional(),
    /** What is voted on or judged; nothing by default. */
    decision: decision.optional(),
    termination: z.object({
      phrases: z.array(z.string()),
      minTurns: z.number().int(),
      similarity: z.object({
        threshold: z.number(),
        consecutive: z.number().int(),
        /** False where a loop ends the conversation without a word before. */
        nudge: z.boolean().optional(),
      }),
      maxTotalTokens: z.number().int().optional(),
      maxCostUsd: z.number().optional(),
      /** What else ends it. */
      when: when.optional(),
    }),
    /** What all agents look up before each turn. */
    knowledge: z.array(knowledgeUse).optional(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  })
  .meta({ id: 'ConversationSettings' });

export type TurnPolicy = z.infer<typeof turnPolicy>;
export type Decision = z.infer<typeof decision>;
export type ModelChoice = z.infer<typeof modelChoice>;
export type AgentSettings = z.infer<typeof agentSettings>;
export type ConversationSettings = z.infer<typeof conversationSettings>;
