import type { Message } from '../conversation/log/events.ts';
import { closingOf } from './commonmark.ts';
import { type ExportSource, messagesOf, RETRACTED } from './source.ts';

/** Title, participants, then each message under its sender. */
export async function* toMarkdown(source: ExportSource): AsyncGenerator<string> {
  const { settings, createdAt } = source.record;
  yield `# ${line(settings.topic)}\n\n${createdAt}\n\n`;
  yield settings.agents
    .map(({ name, provider, model }) => `- **${line(name)}** (${line(provider)}, ${line(model)})\n`)
    .join('');
  for await (const messages of messagesOf(source)) yield messages.map(blockOf).join('');
}

function blockOf({ sender, turn, timestamp, visibleTo, retracted, content }: Message): string {
  const whisper = visibleTo ? `*to ${visibleTo.map(line).join(', ')}*\n\n` : '';
  const said = retracted ? line(RETRACTED) : closed(content);
  return `\n## ${line(sender)}\n\n<sub>turn ${turn}, ${timestamp}</sub>\n\n${whisper}${said}\n`;
}

function closed(content: string): string {
  const closing = closingOf(content);
  return closing === '' ? content : `${content}\n${closing}`;
}

/** Text on one line that means nothing to Markdown. */
function line(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>#|~&]/g, String.raw`\$&`);
}
