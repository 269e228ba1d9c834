import type { Message } from '../conversation/log/events.ts';
import { closingOf } from './commonmark.ts';
import { citedBy, type ExportSource, messagesOf, RETRACTED } from './source.ts';

/** Title, participants, then each message under its sender. */
export async function* toMarkdown(source: ExportSource): AsyncGenerator<string> {
  const { settings, createdAt } = source.record;
  yield `# ${line(settings.topic)}\n\n${createdAt}\n\n`;
  yield settings.agents
    .map(({ name, provider, model }) => `- **${line(name)}** (${line(provider)}, ${line(model)})\n`)
    .join('');
  for await (const messages of messagesOf(source)) yield messages.map(blockOf).join('');
}

function blockOf(message: Message): string {
  const { sender, turn, timestamp, visibleTo, retracted, content } = message;
  const whisper = visibleTo ? `*to ${visibleTo.map(line).join(', ')}*\n\n` : '';
  const said = retracted ? line(RETRACTED) : closed(content);
  return `\n## ${line(sender)}\n\n<sub>turn ${turn}, ${timestamp}</sub>\n\n${whisper}${said}\n${sourcesOf(message)}`;
}

/** A list behind the message: `[1]: …` would be where a link leads. */
function sourcesOf(message: Message): string {
  const sources = citedBy(message).map(
    ({ n, title, collection, passage }) =>
      `- ${line(`[${n}] ${title} (${collection}, passage ${passage})`)}\n`,
  );
  return sources.length > 0 ? `\nSources:\n\n${sources.join('')}` : '';
}

function closed(content: string): string {
  const closing = closingOf(content);
  return closing === '' ? content : `${content}\n${closing}`;
}

/** Text on one line that means nothing to Markdown. */
function line(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\`*_{}[\]<>#|~&]/g, String.raw`\$&`);
}
