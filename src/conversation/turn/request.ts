import { aliasesFor } from '../asking/anonymous.ts';
import type { Shown } from '../knowledge/knowledge.ts';
import { withPassages } from '../knowledge/shown.ts';
import type { Message } from '../log/events.ts';
import type { ContextMessage, ConversationLog } from '../log/log.ts';
import type { ConversationState } from '../log/state.ts';
import { withNudge } from '../policies/nudge.ts';
import { promptFor, withRejections } from './prompt.ts';
import type { GenerateRequest, WaitingTask } from './provider.ts';
import type { Extent } from './turn.ts';

/**
 * What an agent's model is asked for a turn.
 *
 * @param lookUp finds passages for what the agent may see; undefined where it looks nothing up
 */
export async function turnRequest(
  log: Pick<ConversationLog, 'getContext'>,
  conversationId: string,
  state: ConversationState,
  turn: { number: number; speaker: number; model: string; extent: Extent },
  lookUp?: (recent: readonly ContextMessage[]) => Promise<Shown>,
): Promise<GenerateRequest> {
  const { settings } = state;
  const { number, speaker, model, extent } = turn;
  const agent = settings.agents[speaker];
  if (!agent) throw new Error(`agent ${speaker} of ${settings.agents.length} is to speak`);
  const recent = await recentFor(log, conversationId, state, agent.name, extent.messages);
  const { temperature, maxOutputTokens } = agent;
  const said = withoutRound(recent, state).map((message) => ({
    ...message,
    content: shortenedTo(extent.characters, message.content),
  }));
  const shown = withNudge(said, state.nudge);
  const prompt = promptFor(
    settings,
    speaker,
    isAnonymous(state) ? hidden(shown, agent.name, state) : shown,
    number,
  );
  const rejected = withRejections(prompt, state.rejections);
  const shownPassages = await lookUp?.(shown);
  return {
    ...(shownPassages ? withPassages(rejected, shownPassages) : rejected),
    model,
    temperature,
    maxOutputTokens,
    seed: seedOf(settings, conversationId, number),
    shown: shownPassages,
    waiting: waitingTask(state.waiting.get(agent.name)),
  };
}

function waitingTask(message: Message | undefined): WaitingTask | undefined {
  const { task, model = '' } = message?.metadata ?? {};
  return task && { id: task.id, contextId: task.contextId, model };
}

const LEFT_OUT = '\n[… left out, since it is too long …]\n';

/** The beginning and the end of a text that is longer, with a mark between them. */
function shortenedTo(characters: number, text: string): string {
  if (text.length <= characters) return text;
  const half = Math.floor(characters / 2);
  return `${text.slice(0, half).toWellFormed()}${LEFT_OUT}${text.slice(-half).toWellFormed()}`;
}

/** Where the conversation has a seed of its own, what is said follows from that. */
export function seedOf(
  { turnPolicy }: ConversationState['settings'],
  conversationId: string,
  number: number,
): string {
  const seed = turnPolicy && 'seed' in turnPolicy ? turnPolicy.seed : undefined;
  return `${seed ?? conversationId}.${number}`;
}

function isAnonymous({ settings }: ConversationState): boolean {
  return settings.turnPolicy?.type === 'panel' && settings.turnPolicy.anonymous === true;
}

/** What the members of a panel have said in the round under way, they don't see of each other (9.1). */
function withoutRound(
  recent: readonly ContextMessage[],
  { settings, roundStart }: ConversationState,
): readonly ContextMessage[] {
  if (settings.turnPolicy?.type !== 'panel') return recent;
  const names = new Set(settings.agents.map(({ name }) => name));
  return recent.filter(({ seq, sender }) => seq <= roundStart || !names.has(sender));
}

/** The others' messages under other names, also where a text has their names. */
function hidden(
  recent: readonly ContextMessage[],
  self: string,
  { settings }: ConversationState,
): readonly ContextMessage[] {
  const aliases = aliasesFor(settings.agents.map(({ name }) => name));
  return recent.map((message) => ({
    ...message,
    sender: message.sender === self ? self : (aliases.of.get(message.sender) ?? message.sender),
    content: aliases.hide(message.content),
  }));
}

/** More than a prompt's messages are read where some of them may not be shown, but not without bound. */
const MOST_HIDDEN = 400;

/** The last messages that an agent may see (5.1); undefined: somebody who takes no part, and sees what all may see. */
export async function recentFor(
  log: Pick<ConversationLog, 'getContext'>,
  conversationId: string,
  { lastSeq, hidden, retracted }: ConversationState,
  agent: string | undefined,
  limit: number,
): Promise<readonly ContextMessage[]> {
  const read = await log.getContext(conversationId, limit + Math.min(hidden, MOST_HIDDEN));
  // What was said since the state was read may be for others alone, which the state doesn't know yet.
  const recent = read.filter(({ seq }) => seq <= lastSeq);
  if (hidden === 0) return recent;
  const mayRead = ({ sender, visibleTo }: ContextMessage): boolean =>
    !visibleTo || (agent !== undefined && (sender === agent || visibleTo.includes(agent)));
  return recent.filter((message) => !retracted.includes(message.seq) && mayRead(message)).slice(-limit);
}
