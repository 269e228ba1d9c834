import { Lexer, Marked, type Token } from 'marked';
import sanitizeHtml from 'sanitize-html';
import { escapeHtml } from './escape-html.ts';

/**
 * UTF-16 units of a message that are read as Markdown, which may take time with their square; what is longer is shown
 * as it was written.
 */
const LONGEST = 10_000;

const SCHEMES = ['http', 'https', 'mailto'];
const ABSOLUTE = new RegExp(`^(?:${SCHEMES.join('|')}):`, 'i');
const PLAIN_TAGS = [
  'p',
  'br',
  'hr',
  'strong',
  'em',
  'del',
  'code',
  'pre',
  'blockquote',
  'ul',
  'ol',
  'li',
  'h3',
  'h4',
  'h5',
  'h6',
  'table',
  'thead',
  'tbody',
  'tr',
  'th',
  'td',
];
/** Tags without attributes, and entities: where besides them there is only text, nothing has to be made harmless. */
const HARMLESS = new RegExp(`</?(?:${PLAIN_TAGS.join('|')})>|&(?:amp|lt|gt|quot|#39);`, 'g');

const markdown = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // Markup is shown as it was said.
    html: ({ text }) => escapeHtml(text),
    heading({ tokens, depth }) {
      const tag = `h${Math.min(depth + 2, 6)}`;
      return `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`;
    },
    code: ({ text }) => `<pre><code>${escapeHtml(text)}\n</code></pre>`,
    // A page that is kept asks nobody for anything.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '[x] ' : '[ ] '),
  },
});

/** Markdown as HTML that can do nothing. */
export function renderMarkdown(text: string): string {
  const rendered = text.length > LONGEST ? undefined : attempt(() => markdown.parse(text, { async: false }));
  if (rendered === undefined) return `<pre>${escapeHtml(text)}</pre>`;
  return /[<&]/.test(rendered.replaceAll(HARMLESS, '')) ? harmless(rendered) : rendered;
}

/** What is nested too deep for the stack can't be read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function harmless(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: [...PLAIN_TAGS, 'a'],
    allowedAttributes: { a: ['href', 'rel'], th: ['align'], td: ['align'], ol: ['start'] },
    allowedSchemes: SCHEMES,
    allowProtocolRelative: false,
    disallowedTagsMode: 'escape',
    transformTags: {
      a: (tagName, { href }) => ({
        tagName,
        // In a file that is kept, an address without a scheme would be another file.
        attribs: href && ABSOLUTE.test(href) ? { href, rel: 'noopener noreferrer nofollow' } : {},
      }),
    },
  });
}

/** What may open a block that only its own end closes: https://spec.commonmark.org/0.31.2/#html-blocks */
const MAY_OPEN = /```|~~~|<[!?a-z]/i;
const HTML_BLOCKS: [begins: RegExp, ends: RegExp, end: string][] = [
  [/^ {0,3}<!--/, /-->/, '-->'],
  [/^ {0,3}<\?/, /\?>/, '?>'],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/, ']]>'],
  [/^ {0,3}<![a-z]/i, />/, '>'],
  ...['script', 'pre', 'style', 'textarea'].map((tag): [RegExp, RegExp, string] => [
    new RegExp(`^ {0,3}<${tag}(?:[\\s>]|$)`, 'i'),
    /<\/(?:script|pre|style|textarea)>/i,
    `</${tag}>`,
  ]),
];

/** A line that closes what Markdown leaves open at its end, so that it can't swallow what follows; else nothing. */
export function closingOf(text: string): string {
  if (!MAY_OPEN.test(text)) return '';
  const blocks = text.length > LONGEST ? undefined : attempt(() => new Lexer().blockTokens(text, []));
  return blocks ? closingOfBlock(blocks.at(-1)) : openFenceIn(text);
}

function closingOfBlock(last: Token | undefined): string {
  if (last?.type === 'code') return openFenceIn(last.raw);
  if (last?.type !== 'html') return '';
  const [, ends, end] = HTML_BLOCKS.find(([begins]) => begins.test(last.raw)) ?? [];
  return ends && end && !ends.test(last.raw.slice(1)) ? end : '';
}

/** The fence that is open at the end of a text, where none is in a list or a quotation. */
function openFenceIn(text: string): string {
  let open = '';
  for (const line of text.split('\n')) {
    const [, fence = '', info = ''] = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (open === '') {
      if (fence[0] !== '`' || !info.includes('`')) open = fence;
    } else if (fence.startsWith(open) && info.trim() === '') open = '';
  }
  return open;
}
