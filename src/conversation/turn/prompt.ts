import { aliasesFor } from '../asking/anonymous.ts';
import type { DecidedEvent, Message } from '../log/events.ts';
import { type ConversationSettings, HUMAN, MODERATOR } from '../log/settings.ts';
import { type DebatePlace, debatePlaceOf } from '../policies/turn/debate.ts';
import type { GenerateRequest, PromptMessage } from './provider.ts';

/**
 * What one agent is shown: docs/protocol.md, section 5.1.
 *
 * @param turn the number of the turn that it is to take
 */
export function promptFor(
  settings: ConversationSettings,
  speaker: number,
  recent: readonly Pick<Message, 'sender' | 'content'>[],
  turn = 1,
): Pick<GenerateRequest, 'agent' | 'topic' | 'system' | 'messages' | 'others' | 'messagesShown'> {
  const agent = settings.agents[speaker]?.name ?? '';
  return {
    agent,
    others: [...othersThan(settings, speaker), MODERATOR, HUMAN],
    messagesShown: recent.length,
    topic: settings.topic,
    system: systemPrompt(settings, speaker, turn),
    messages: chatMessages(settings.topic, agent, recent),
  };
}

/** What is added where replies to this turn were rejected: why, for the next try (10.4). */
export function withRejections<Prompt extends Pick<GenerateRequest, 'system'>>(
  prompt: Prompt,
  rejections: readonly Pick<DecidedEvent, 'detail'>[],
): Prompt {
  if (rejections.length === 0) return prompt;
  const reasons = rejections.map(({ detail }) => `- ${detail ?? 'no reason was given'}`);
  const said = `What you were about to say was not let through; say something else. Why:\n${reasons.join('\n')}`;
  return { ...prompt, system: `${prompt.system}\n\n${said}` };
}

/** The other agents, by the names that this one knows. */
function othersThan(settings: ConversationSettings, speaker: number): string[] {
  const names = settings.agents.map(({ name }) => name);
  const aliases = isAnonymousPanel(settings) ? aliasesFor(names) : undefined;
  return names.filter((_, index) => index !== speaker).map((name) => aliases?.of.get(name) ?? name);
}

function systemPrompt(settings: ConversationSettings, speaker: number, turn: number): string {
  const { topic, agents } = settings;
  const self = agents[speaker];
  const others = othersThan(settings, speaker);
  const lines = [
    `You are ${self?.name}, talking with ${listed(others)}.`,
    `The topic: ${topic}`,
    "Each message from the others begins with its sender's name. Answer as yourself alone, without your " +
      'name in front, and never speak for the others.',
  ];
  if (self?.instructions !== undefined) lines.push(self.instructions);
  const place = debatePlaceOf(settings, turn - 1);
  if (place) lines.push(debateGuidance(place));
  if (settings.turnPolicy?.type === 'panel') lines.push(PANEL_GUIDANCE);
  return lines.join('\n\n');
}

const PANEL_GUIDANCE =
  'This is a panel: everybody answers at the same time, without seeing what the others answer in this round.';

function isAnonymousPanel({ turnPolicy }: ConversationSettings): boolean {
  return turnPolicy?.type === 'panel' && turnPolicy.anonymous === true;
}

const TASKS = {
  opening: 'This is your opening statement: say what your side holds, and give its strongest reasons.',
  rebuttal: 'This is a rebuttal: take up what the other side said last, and answer its best point.',
  closing: 'This is your closing statement: sum up why your side is right, and bring nothing new.',
} as const;

/** What a speaker of a debate is told: its side, the phase, and what that asks for. */
function debateGuidance({ side, sides, phase, round, rounds }: DebatePlace): string {
  const others = sides.flatMap((names, index) =>
    index + 1 === side ? [] : [`side ${index + 1} (${listed(names)})`],
  );
  const which = phase === 'rebuttal' ? ` Round ${round} of ${rounds}.` : '';
  return `This is a debate. You speak for side ${side} (${listed(sides[side - 1] ?? [])}) against ${listed(others)}. ${TASKS[phase]}${which}`;
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

/** Own messages as assistant, the others' as user with their names; alternating, the first one user. */
function chatMessages(
  topic: string,
  agent: string,
  recent: readonly Pick<Message, 'sender' | 'content'>[],
): PromptMessage[] {
  const merged: PromptMessage[] = [];
  for (const { sender, content } of recent) {
    const own = sender === agent;
    const role = own ? 'assistant' : 'user';
    // One that has its name in front already has it once.
    const text = own || content.startsWith(`${sender}:`) ? content : `${sender}: ${content}`;
    const last = merged.at(-1);
    if (last?.role === role) last.content += `\n\n${text}`;
    else merged.push({ role, content: text });
  }
  if (merged[0]?.role !== 'user') merged.unshift({ role: 'user', content: `${MODERATOR}: ${topic}` });
  return merged;
}
