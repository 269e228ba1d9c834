import { withoutPassages } from '../conversation/knowledge/shown.ts';
import { MODERATOR } from '../conversation/log/settings.ts';
import type { GenerateRequest } from '../conversation/turn/provider.ts';

/** So many last characters of the last message are looked at closely, and so many of each earlier one searched. */
const MAX_LAST_CHARS = 1_200;
const MAX_EARLIER_CHARS = 1_600;

/** A message of a partner, without its name. */
interface Heard {
  speaker: string;
  text: string;
}

/** The messages of a request, taken apart. */
export interface Hearing {
  last: Heard;
  /** What partners said before, latest first, at most a few messages and without names. */
  before: readonly string[];
  /** Own replies, latest first. */
  own: readonly string[];
  /** All that was said before the last message, own and others', to search in. */
  earlier: string;
  /** True when nobody but the moderator has spoken. */
  opening: boolean;
  /** True when this agent has not spoken, and the talk has just begun. */
  first: boolean;
  /** True where more than two talk, so that it is not plain who is spoken to. */
  group: boolean;
}

/** Reads `messages` as promptFor (context.ts) writes them: the others' begin with "Name: ". */
export function hearing({ messages: all, system, topic, shown }: GenerateRequest): Hearing {
  const messages = shown ? withoutPassages(all, shown) : all;
  const lastContent = (messages.at(-1)?.content ?? topic).toWellFormed();
  const start = startOfLast(lastContent, system);
  const last = named(lastContent.slice(start), system);
  const before: string[] = [];
  const own: string[] = [];
  if (start > 2) before.push(named(lastContent.slice(0, start - 2), system).text.slice(-MAX_EARLIER_CHARS));
  let earlier = before[0] ?? '';
  for (let index = messages.length - 2; index >= 0; index--) {
    const message = messages[index];
    if (!message) continue;
    const text = message.content.slice(-MAX_EARLIER_CHARS);
    earlier += `\n${text}`;
    if (message.role === 'assistant') own.push(text);
    else before.push(named(text, system).text);
  }
  const moderated = messages[0]?.content.startsWith(`${MODERATOR}: `) ?? true;
  return {
    last: { speaker: last.speaker, text: last.text.slice(-MAX_LAST_CHARS).toWellFormed() },
    before,
    own,
    earlier,
    opening: own.length === 0 && messages.length <= 1 && start === 0 && last.speaker === MODERATOR,
    first: own.length === 0 && moderated,
    group: namesSeveral(system),
  };
}

/** "You are A, talking with B and C." */
function namesSeveral(system: string): boolean {
  const partners = system.indexOf(', talking with ');
  const end = system.indexOf('\n', partners);
  return partners >= 0 && system.slice(partners, end < 0 ? undefined : end).includes(' and ');
}

/** Where the last of several merged messages begins: after a blank line and with a known name. */
function startOfLast(content: string, system: string): number {
  for (
    let at = content.lastIndexOf('\n\n');
    at >= 0;
    at = at === 0 ? -1 : content.lastIndexOf('\n\n', at - 1)
  ) {
    if (speakerAt(content, at + 2, system) !== undefined) return at + 2;
  }
  return 0;
}

function named(text: string, system: string): Heard {
  const speaker = speakerAt(text, 0, system);
  return speaker === undefined ? { speaker: '', text } : { speaker, text: text.slice(speaker.length + 2) };
}

const MAX_NAME_CHARS = 80;

/** A name is one only when the system prompt names it; an answer's "For example:" isn't. */
function speakerAt(content: string, start: number, system: string): string | undefined {
  const head = content.slice(start, start + MAX_NAME_CHARS);
  const colon = head.indexOf(': ');
  if (colon < 1) return undefined;
  const name = head.slice(0, colon);
  return name === MODERATOR || (!name.includes('\n') && system.includes(name)) ? name : undefined;
}
