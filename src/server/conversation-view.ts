import type { ConversationRecord } from '../conversation/log/log.ts';
import type { TurnPolicy } from '../conversation/policies/turn-policy.ts';
import type { Conversation } from '../protocol/conversation.ts';

/**
 * A conversation as clients see it. An agent's state follows from the log and the roster, so that every
 * instance says the same.
 */
export function viewConversation(record: ConversationRecord, nextSpeaker: TurnPolicy): Conversation {
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
