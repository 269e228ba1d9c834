import { Parser } from 'htmlparser2';
import { assertFits } from './unreadable.ts';

/** What is no text of the page. */
const SKIPPED = new Set([
  'script',
  'style',
  'template',
  'noscript',
  'head',
  'svg',
  'math',
  'iframe',
  'object',
  'canvas',
  'select',
  'textarea',
  'button',
  'nav',
]);
/** Without an end of their own, so that nothing is within them. */
const VOID = new Set([
  'area',
  'base',
  'br',
  'col',
  'embed',
  'hr',
  'img',
  'input',
  'link',
  'meta',
  'source',
  'track',
  'wbr',
]);
/** Each begins a paragraph. */
const BLOCKS = new Set([
  'address',
  'article',
  'aside',
  'blockquote',
  'dd',
  'details',
  'div',
  'dl',
  'dt',
  'fieldset',
  'figcaption',
  'figure',
  'footer',
  'form',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'header',
  'hr',
  'main',
  'ol',
  'p',
  'pre',
  'section',
  'summary',
  'table',
  'ul',
  'caption',
]);

/**
 * The text of a page: headings as Markdown's, a blank line between paragraphs, a line for each item and row. What
 * isn't shown (scripts, styles, what is hidden, comments) is left out. It reads as it goes, without a tree, so that
 * no depth of elements is too much for it.
 *
 * @throws UnreadableError where it is too long
 */
export function htmlText(html: string): string {
  const parts: string[] = [];
  let characters = 0;
  /** Elements that are open within one that is skipped, with it. */
  let skipped = 0;
  let preformatted = 0;
  let pending = '';
  const add = (text: string): void => {
    characters += text.length;
    assertFits(characters);
    parts.push(text);
  };
  const breakOff = (mark: string): void => {
    if (parts.length > 0 && mark.length > pending.length) pending = mark;
  };
  const say = (text: string): void => {
    if (text === '') return;
    if (pending !== '') add(pending);
    pending = '';
    add(text);
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (skipped > 0 || SKIPPED.has(name) || isHidden(attributes)) {
        if (!VOID.has(name)) skipped++;
        return;
      }
      const level = /^h([1-6])$/.exec(name)?.[1];
      if (BLOCKS.has(name)) breakOff('\n\n');
      if (level) say(`${'#'.repeat(Number(level))} `);
      else if (name === 'br' || name === 'tr') breakOff('\n');
      else if (name === 'li') {
        breakOff('\n');
        say('- ');
      } else if (name === 'td' || name === 'th') breakOff(' | ');
      else if (name === 'pre') preformatted++;
      else if (name === 'img') say(attributes['alt'] ?? '');
    },
    ontext(text) {
      if (skipped > 0) return;
      if (preformatted > 0) return say(text);
      const squeezed = text.replaceAll(/[\s\u00A0]+/g, ' ');
      const last = parts.at(-1) ?? '\n';
      if (pending !== '' || /\s$/.test(last)) say(squeezed.trimStart());
      else say(squeezed);
    },
    onclosetag(name) {
      if (skipped > 0) {
        if (!VOID.has(name)) skipped--;
        return;
      }
      if (name === 'pre') preformatted = Math.max(0, preformatted - 1);
      if (BLOCKS.has(name)) breakOff('\n\n');
    },
  });
  parser.end(html);
  return parts
    .join('')
    .replaceAll(/[ \t]+\n/g, '\n')
    .trim();
}

function isHidden(attributes: Readonly<Record<string, string>>): boolean {
  return (
    'hidden' in attributes ||
    attributes['aria-hidden'] === 'true' ||
    /display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])/i.test(
      attributes['style']?.slice(0, 2000) ?? '',
    )
  );
}
