import type { Token, Tokens } from 'marked';
import { Component, type ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { type Block, GrowingText } from './blocks.ts';
import { Code } from './code.tsx';

/**
 * A text that agents wrote, as nodes. Nothing of it is ever read as HTML: markup in it is shown as it was written.
 *
 * @param isWhole false while it is still being said
 */
export function Markdown({ text, isWhole }: { text: string; isWhole: boolean }) {
  const growing = useRef<GrowingText>(undefined);
  growing.current ??= new GrowingText();
  // The lexer reads every line end as \n, and counts them so.
  const blocks = growing.current.blocksOf(text.replace(/\r\n?/g, '\n'), isWhole);
  const parts = Array.from({ length: Math.ceil(blocks.length / BLOCKS_IN_PART) }, (_, index) =>
    blocks.slice(index * BLOCKS_IN_PART, (index + 1) * BLOCKS_IN_PART),
  );
  const open = isWhole ? undefined : blocks.findLast(({ token }) => token.type !== 'space')?.token;
  return (
    <>
      {parts.map((part, index) => (
        <Part key={index} blocks={part} open={open} />
      ))}
    </>
  );
}

/** Few enough to be looked at with each word. */
const BLOCKS_IN_PART = 16;

interface PartProps {
  blocks: readonly Block[];
  /** The block that still grows. */
  open: Token | undefined;
}

/** A part whose blocks are settled isn't rendered again. */
class Part extends Component<PartProps> {
  override shouldComponentUpdate({ blocks, open }: PartProps): boolean {
    const { props } = this;
    return (
      blocks.length !== props.blocks.length ||
      blocks.some(
        ({ token }, index) =>
          token !== props.blocks[index]?.token || (token === open) !== (token === props.open),
      )
    );
  }

  override render({ blocks, open }: PartProps) {
    return (
      <div class="part">
        {blocks.map(({ at, token }) => (
          <BlockNode key={at} token={token} isOpen={token === open} />
        ))}
      </div>
    );
  }
}

/** A settled block keeps its token, and isn't rendered again. */
class BlockNode extends Component<{ token: Token; isOpen: boolean }> {
  override shouldComponentUpdate(next: { token: Token; isOpen: boolean }): boolean {
    return next.token !== this.props.token || next.isOpen !== this.props.isOpen;
  }

  override render({ token, isOpen }: { token: Token; isOpen: boolean }) {
    return <>{block(token, isOpen)}</>;
  }
}

function block(given: Token, isOpen: boolean): ComponentChildren {
  switch (given.type) {
    case 'space':
    case 'def':
      return null;
    case 'heading': {
      const { depth, tokens } = given as Tokens.Heading;
      // The page has its own first and second; a screen reader hears where these belong.
      return (
        <p class={`heading h${depth}`} role="heading" aria-level={Math.min(6, depth + 2)}>
          {inline(tokens)}
          {isOpen && <Caret />}
        </p>
      );
    }
    case 'paragraph':
      return (
        <p dir="auto">
          {inline((given as Tokens.Paragraph).tokens)}
          {isOpen && <Caret />}
        </p>
      );
    case 'text': {
      const { tokens, text } = given as Tokens.Text;
      return tokens ? inline(tokens) : unescaped(text);
    }
    case 'code': {
      const { text, lang, raw } = given as Tokens.Code;
      const isClosed = !isOpen || /\n {0,3}(`{3,}|~{3,})\s*$/.test(raw);
      return <Code text={text} language={lang} isClosed={isClosed} />;
    }
    case 'blockquote':
      return <blockquote dir="auto">{blocks((given as Tokens.Blockquote).tokens)}</blockquote>;
    case 'list':
      return list(given as Tokens.List, isOpen);
    case 'table':
      return table(given as Tokens.Table);
    case 'hr':
      return <hr />;
    case 'html':
      return (
        <p dir="auto" class="verbatim">
          {given.raw.trimEnd()}
        </p>
      );
    default:
      return given.raw;
  }
}

/** Where the next word comes. A node of its own: a rule for the last child has all nodes' styles asked for again. */
function Caret() {
  return <span class="caret" aria-hidden="true" />;
}

function blocks(tokens: readonly Token[]): ComponentChildren {
  return tokens.map((token) => block(token, false));
}

function list({ ordered, start, items }: Tokens.List, isOpen: boolean): ComponentChildren {
  const rows = items.map((item, index) => (
    <li dir="auto">
      {item.task && <input type="checkbox" checked={item.checked ?? false} disabled aria-label={item.text} />}
      {blocks(item.tokens.filter(({ type }) => type !== 'checkbox'))}
      {isOpen && index === items.length - 1 && <Caret />}
    </li>
  ));
  return ordered ? <ol start={start === '' ? 1 : start}>{rows}</ol> : <ul>{rows}</ul>;
}

function table({ header, rows }: Tokens.Table): ComponentChildren {
  return (
    <div class="wide" tabIndex={0} role="group">
      <table>
        <thead>
          <tr>
            {header.map((cell) => (
              <th class={cell.align ?? ''}>{inline(cell.tokens)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {row.map((cell) => (
                <td class={cell.align ?? ''}>{inline(cell.tokens)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: readonly Token[] = []): ComponentChildren {
  return tokens.map((token) => inlineNode(token as Tokens.Generic));
}

function inlineNode(given: Token): ComponentChildren {
  switch (given.type) {
    case 'strong':
      return <strong>{inline((given as Tokens.Strong).tokens)}</strong>;
    case 'em':
      return <em>{inline((given as Tokens.Em).tokens)}</em>;
    case 'del':
      return <del>{inline((given as Tokens.Del).tokens)}</del>;
    case 'codespan':
      return <code dir="ltr">{(given as Tokens.Codespan).text}</code>;
    case 'br':
      return <br />;
    case 'link':
      return link(given as Tokens.Link);
    case 'image': {
      // A picture would be asked for elsewhere: it stays a link to it.
      const { text, href, raw } = given as Tokens.Image;
      return isHarmless(href) ? anchor(href, text === '' ? href : text) : raw;
    }
    case 'escape':
      return (given as Tokens.Escape).text;
    case 'text': {
      const { tokens, text } = given as Tokens.Text;
      return tokens ? inline(tokens) : unescaped(text);
    }
    default:
      return given.raw;
  }
}

function link({ href, tokens, raw }: Tokens.Link): ComponentChildren {
  return isHarmless(href) ? anchor(href, inline(tokens)) : raw;
}

function anchor(href: string, text: ComponentChildren) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

/** Whether a link there can do nothing but be followed. */
export function isHarmless(href: string): boolean {
  return URL.canParse(href) && ['http:', 'https:', 'mailto:'].includes(new URL(href).protocol);
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00A0' };

/** The few character references that models write; all others stay as they are. */
function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|(\w{2,6}));/g, (whole, code: string | undefined, name: string) => {
    if (code === undefined) return NAMED[name] ?? whole;
    const point = Number(code);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}
