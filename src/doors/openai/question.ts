import { invalid } from '../../errors.ts';
import type { ChatCompletionRequest } from '../../protocol/chat-completions.ts';

type ChatMessage = ChatCompletionRequest['messages'][number];

/** What a conversation is asked for by a list of messages. */
export interface Question {
  topic: string;
  openingMessage: string;
}

const MOST_TOPIC = 2000;
const SENDERS: Readonly<Record<ChatMessage['role'], string>> = {
  system: 'System',
  developer: 'System',
  user: 'User',
  assistant: 'Assistant',
  tool: 'Tool',
  function: 'Tool',
};
const SAID_BEFORE = 'Said before:';
const LEFT_OUT = '[What was said earlier is left out.]';
const SAID_NOW = 'Said now:';

/**
 * The last user message is what the talk is about; what was said before stands in front of it in the opening message,
 * each under its sender's name. Where that is too long, the earliest messages are left out, and that is said.
 *
 * @param maxMessageLength code points
 * @throws AppError `validation_failed` where nobody asks anything
 */
export function questionIn(messages: readonly ChatMessage[], maxMessageLength: number): Question {
  const last = messages.findLastIndex(({ role }) => role === 'user');
  const asked = last < 0 ? '' : textOf(messages[last]);
  if (asked.trim() === '') {
    throw invalid([{ path: 'messages', message: 'takes a last user message that says something' }]);
  }
  const earlier = messages.slice(0, last).flatMap((message) => {
    const text = textOf(message);
    return text.trim() === '' ? [] : [`${message.name ?? SENDERS[message.role]}: ${text}`];
  });
  const topic = [...asked].slice(0, MOST_TOPIC).join('');
  if (earlier.length === 0) return { topic, openingMessage: asked };
  return { topic, openingMessage: withEarlier(asked, earlier, maxMessageLength) };
}

function withEarlier(asked: string, earlier: readonly string[], maxMessageLength: number): string {
  const frame = (kept: readonly string[]): string[] => [SAID_BEFORE, ...kept, SAID_NOW, asked];
  const whole = frame(earlier).join('\n\n');
  if (lengthOf(whole) <= maxMessageLength) return whole;
  const kept: string[] = [];
  let length = lengthOf(frame([LEFT_OUT]).join('\n\n'));
  for (const message of earlier.toReversed()) {
    length += lengthOf(message) + 2;
    if (length > maxMessageLength) break;
    kept.unshift(message);
  }
  return kept.length === 0 ? asked : frame([LEFT_OUT, ...kept]).join('\n\n');
}

function textOf(message: ChatMessage | undefined): string {
  const { content } = message ?? {};
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text, refusal }) => text ?? refusal ?? '').join('\n');
}

function lengthOf(text: string): number {
  return [...text].length;
}
