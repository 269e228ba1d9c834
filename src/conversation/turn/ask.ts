import type { Question } from '../asking/question.ts';
import type { Ending, MessageMetadata } from '../log/events.ts';
import type { AgentSettings } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import { seedOf } from './request.ts';
import { SILENT } from './round.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import { type SpeakParts, speak } from './speak.ts';
import { newTurn } from './turn.ts';

/** What became of a question. */
export type Reply<Read> =
  | { kind: 'read'; said: Read; metadata: MessageMetadata }
  /** It could not be read, however often it was asked. */
  | { kind: 'unreadable' }
  /** No answer came, and what that would mean for a turn. */
  | { kind: 'failed'; ending: Ending }
  /** The run was stopped, or nobody needs it any more. */
  | { kind: 'stopped' };

/**
 * Asks a model something that is no turn, and reads its answer. One that can't be read is charged, and asked for
 * again with a word about what was wrong.
 *
 * @param isDue whether the answer is still needed, as the log is then
 * @param tries answers that are asked for at most
 */
export async function ask<Read>(
  parts: SpeakParts,
  session: Session,
  run: Run,
  asked: {
    agent: AgentSettings;
    question: (state: ConversationState) => Promise<Question>;
    read: (text: string) => Read | undefined;
    isDue: (state: ConversationState) => boolean;
    tries: number;
    /** Tells apart what is asked of the same model about the same turn. */
    purpose: string;
  },
): Promise<Reply<Read>> {
  const { agent, isDue, purpose } = asked;
  for (let tried = 0; tried < asked.tries; tried++) {
    const number = session.state.turns + 1;
    const turn = newTurn(session, {
      number,
      agent,
      stage: SILENT,
      kind: 'words',
      isDue: () => isDue(session.state),
      requestFor: async (model) => {
        const { state } = session;
        const { system, message, form } = await asked.question(state);
        const again = tried > 0 ? `\n\n${AGAIN}` : '';
        const { temperature, maxOutputTokens } = agent;
        return {
          agent: agent.name,
          topic: state.settings.topic,
          model,
          system,
          messages: [{ role: 'user', content: message + again }],
          temperature,
          maxOutputTokens,
          seed: `${seedOf(state.settings, session.conversationId, number)}.${purpose}.${tried}`,
          form,
        };
      },
    });
    const answer = await speak(parts, turn, run);
    if (!answer) return { kind: 'stopped' };
    if ('reason' in answer) return { kind: 'failed', ending: answer };
    const said = asked.read(answer.heard ?? answer.content);
    // What was found in all of it says nothing of its words, which are looked at by who keeps them.
    const { guard: _, ...metadata } = answer.metadata;
    if (said !== undefined) return { kind: 'read', said, metadata };
    await charge(parts, session, run, turn.number, agent, metadata, 'unreadable');
    run.settled();
  }
  return { kind: 'unreadable' };
}

const AGAIN =
  'Your last answer could not be read. Answer with the JSON that was asked for, and nothing else.';

/** Notes what a call took that brings no event of its own. */
export async function charge(
  { now }: SpeakParts,
  session: Session,
  run: Run,
  turn: number,
  agent: AgentSettings,
  metadata: MessageMetadata,
  error: string,
): Promise<void> {
  const { attempt = '', provider = '', model = '', inputTokens = 0, outputTokens = 0 } = metadata;
  const { costUsd = null, usageEstimated = false } = metadata;
  const spent = { turn, attempt, agent: agent.name, provider, model, inputTokens, outputTokens, costUsd };
  await session.append((draft) => {
    if (draft.state.status === 'terminated') return;
    const [seq, at] = [draft.nextSeq, now().toISOString()];
    draft.add({ seq, type: 'attempt.spent', at, ...spent, estimated: usageEstimated, error });
  }, run.signal);
}
