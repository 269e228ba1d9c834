import type { ConversationRecord } from '../conversation/log/log.ts';
import { speakersDue } from '../conversation/turn/decide.ts';
import type { Conversation } from '../protocol/conversation.ts';

/**
 * A conversation as clients see it. An agent's state follows from the log and the roster, so that every
 * instance says the same.
 */
export function viewConversation(record: ConversationRecord): Conversation {
  const { id, status, settings, turns, agentTurns, usage, lastSeq } = record;
  const speakers = status === 'running' ? speakersDue(id, { ...record, status }) : [];
  return {
    id,
    tenant: record.tenant,
    topic: settings.topic,
    status,
    agents: settings.agents.map(({ name, provider, model }, index) => ({
      name,
      provider,
      model,
      turns: agentTurns[index] ?? 0,
      state: status !== 'running' ? 'idle' : speakers.includes(index) ? 'generating' : 'waiting',
    })),
    turns,
    maxTurns: settings.maxTurns,
    usage,
    lastSeq,
    createdAt: record.createdAt,
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    termination: record.ending,
    pause: shownPause(record.pause),
    outcome: record.outcome,
    forkedFrom: record.forkedFrom,
    settings,
    metadata: settings.metadata,
  };
}

/** What will hold behind a wait shows when that is over. */
function shownPause(pause: ConversationRecord['pause']): Conversation['pause'] {
  if (!pause) return null;
  const { behind: _, ...shown } = pause;
  return shown;
}
