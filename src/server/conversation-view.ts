import { z } from 'zod';
import { ending } from '../conversation/log/events.ts';
import type { ConversationRecord } from '../conversation/log/log.ts';
import { conversationSettings } from '../conversation/log/settings.ts';
import type { TurnPolicy } from '../conversation/policies/turn-policy.ts';

const time = z.string().meta({ format: 'date-time' });

/** A conversation as clients see it; docs/protocol.md, section 2.2. */
export const conversation = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
    topic: z.string(),
    status: z.enum(['queued', 'running', 'paused', 'terminated']),
    agents: z.array(
      z.object({
        name: z.string(),
        provider: z.string(),
        model: z.string(),
        turns: z.number().int(),
        state: z.enum(['idle', 'waiting', 'generating', 'responding']),
      }),
    ),
    turns: z.number().int(),
    maxTurns: z.number().int(),
    usage: z.object({
      inputTokens: z.number().int(),
      outputTokens: z.number().int(),
      totalTokens: z.number().int(),
      costUsd: z.number().nullable(),
    }),
    lastSeq: z.number().int(),
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    termination: ending.nullable(),
    settings: conversationSettings,
    metadata: conversationSettings.shape.metadata,
  })
  .meta({ id: 'Conversation' });

export type ConversationView = z.infer<typeof conversation>;

/** An agent's state follows from the log and the roster, so that every instance says the same. */
export function viewConversation(record: ConversationRecord, nextSpeaker: TurnPolicy): ConversationView {
  const { id, status, settings, turns, agentTurns, usage, lastSeq } = record;
  const speaker = nextSpeaker({ agents: settings.agents, turns });
  return {
    id,
    topic: settings.topic,
    status,
    agents: settings.agents.map(({ name, provider, model }, index) => ({
      name,
      provider,
      model,
      turns: agentTurns[index] ?? 0,
      state: status !== 'running' ? 'idle' : index === speaker ? 'generating' : 'waiting',
    })),
    turns,
    maxTurns: settings.maxTurns,
    usage,
    lastSeq,
    createdAt: record.createdAt,
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    termination: record.ending,
    settings,
    metadata: settings.metadata,
  };
}
