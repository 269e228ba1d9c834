import type { DecidedEvent, Message } from '../log/events.ts';
import { type ConversationSettings, MODERATOR } from '../log/settings.ts';
import type { GenerateRequest, PromptMessage } from './provider.ts';

/** What one agent is shown: docs/protocol.md, section 5.1. */
export function promptFor(
  settings: ConversationSettings,
  speaker: number,
  recent: readonly Pick<Message, 'sender' | 'content'>[],
): Pick<GenerateRequest, 'agent' | 'topic' | 'system' | 'messages'> {
  const agent = settings.agents[speaker]?.name ?? '';
  return {
    agent,
    topic: settings.topic,
    system: systemPrompt(settings, speaker),
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

function systemPrompt({ topic, agents }: ConversationSettings, speaker: number): string {
  const self = agents[speaker];
  const others = agents.filter((_, index) => index !== speaker).map(({ name }) => name);
  const lines = [
    `You are ${self?.name}, talking with ${listed(others)}.`,
    `The topic: ${topic}`,
    "Each message from the others begins with its sender's name. Answer as yourself alone, without your " +
      'name in front, and never speak for the others.',
  ];
  if (self?.instructions !== undefined) lines.push(self.instructions);
  return lines.join('\n\n');
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
    const text = own ? content : `${sender}: ${content}`;
    const last = merged.at(-1);
    if (last?.role === role) last.content += `\n\n${text}`;
    else merged.push({ role, content: text });
  }
  if (merged[0]?.role !== 'user') merged.unshift({ role: 'user', content: `${MODERATOR}: ${topic}` });
  return merged;
}
