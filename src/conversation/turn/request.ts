import type { ContextMessage, ConversationLog } from '../log/log.ts';
import type { ConversationState } from '../log/state.ts';
import { withNudge } from '../policies/nudge.ts';
import { promptFor, withRejections } from './prompt.ts';
import type { GenerateRequest } from './provider.ts';
import type { Turn } from './turn.ts';

/** What a model is asked for a turn. */
export async function requestOf(
  log: Pick<ConversationLog, 'getContext'>,
  { conversationId, session, number, speaker, agent, contextMessages }: Turn,
  model: string,
): Promise<GenerateRequest> {
  const { state } = session;
  const recent = await recentFor(log, conversationId, state, agent.name, contextMessages);
  const { temperature, maxOutputTokens } = agent;
  const seed = `${conversationId}.${number}`;
  const prompt = promptFor(state.settings, speaker, withNudge(recent, state.nudge));
  const rejected = withRejections(prompt, state.rejections);
  return { ...rejected, model, temperature, maxOutputTokens, seed };
}

/** More than a prompt's messages are read where some of them may not be shown, but not without bound. */
const MOST_HIDDEN = 400;

/** The last messages that an agent may see (5.1). */
async function recentFor(
  log: Pick<ConversationLog, 'getContext'>,
  conversationId: string,
  { hidden, retracted }: ConversationState,
  agent: string,
  limit: number,
): Promise<readonly ContextMessage[]> {
  const recent = await log.getContext(conversationId, limit + Math.min(hidden, MOST_HIDDEN));
  if (hidden === 0) return recent;
  return recent
    .filter(
      ({ seq, sender, visibleTo }) =>
        !retracted.includes(seq) && (!visibleTo || sender === agent || visibleTo.includes(agent)),
    )
    .slice(-limit);
}
