import type { Message } from '../conversation/log/events.ts';
import { Slices } from '../slices.ts';
import { renderMarkdown } from './commonmark.ts';
import { escapeHtml } from './escape-html.ts';
import { citedBy, type ExportSource, messagesOf, RETRACTED } from './source.ts';

/** The policy of the answer, for a page that was kept; a page can't sandbox itself. */
const POLICY = `default-src 'none'; style-src 'unsafe-inline'`;
const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
article { margin: 1.5rem 0; overflow-wrap: anywhere; }
article > header, article > footer { color: GrayText; font-size: .85rem; }
article > header strong { color: CanvasText; font-size: 1rem; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid GrayText; border-radius: .3rem; white-space: pre-wrap; }
table { border-collapse: collapse; }
th, td { border: 1px solid GrayText; padding: .2rem .5rem; }
blockquote { margin-left: 0; padding-left: 1rem; border-left: 3px solid GrayText; }
@media print { body { max-width: none; margin: 0; } article { break-inside: auto; } header { break-after: avoid; } a { color: inherit; } }
`;

/** One page, to be read and printed, that needs nothing else and runs nothing. */
export async function* toHtml(source: ExportSource): AsyncGenerator<string> {
  const { settings, createdAt } = source.record;
  const topic = escapeHtml(settings.topic);
  const agents = settings.agents.map(
    ({ name, provider, model }) =>
      `<li><bdi>${escapeHtml(name)}</bdi> (${escapeHtml(provider)}, ${escapeHtml(model)})</li>\n`,
  );
  yield `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer">
<title>${topic}</title>
<style>${STYLE}</style>
</head>
<body>
<h1 dir="auto">${topic}</h1>
<p><time datetime="${createdAt}">${createdAt}</time></p>
<ul>
${agents.join('')}</ul>
<main>
`;
  const slices = new Slices();
  for await (const messages of messagesOf(source)) {
    for (const message of messages) {
      yield articleOf(message);
      await slices.rest();
    }
  }
  yield '</main>\n</body>\n</html>\n';
}

function articleOf(message: Message): string {
  const { seq, turn, sender, timestamp, visibleTo, retracted, content } = message;
  const whisper = visibleTo
    ? `, to ${visibleTo.map((name) => `<bdi>${escapeHtml(name)}</bdi>`).join(', ')}`
    : '';
  const said = retracted ? `<p>${RETRACTED}</p>` : renderMarkdown(content);
  return `<article id="m${seq}">
<header><strong><bdi>${escapeHtml(sender)}</bdi></strong> turn ${turn}, <time datetime="${timestamp}">${timestamp}</time>${whisper}</header>
<div dir="auto">
${said}
</div>
${sourcesOf(message)}</article>
`;
}

function sourcesOf(message: Message): string {
  const sources = citedBy(message).map(
    ({ n, title, collection, passage }) =>
      `<li>[${n}] <bdi>${escapeHtml(title)}</bdi> (${escapeHtml(collection)}, passage ${passage})</li>\n`,
  );
  return sources.length > 0 ? `<footer>Sources:\n<ul>\n${sources.join('')}</ul></footer>\n` : '';
}
