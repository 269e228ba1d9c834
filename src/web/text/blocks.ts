import { Lexer, type Token } from 'marked';

/** A link may point to what a later block defines: `[name]: address`. */
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;
/** A line of `=` or `-` makes a heading of the block before it, so what is settled ends two blocks before the end. */
const OPEN_BLOCKS = 2;

/** A block of a text, with the place where it begins: the same as long as the text before it is. */
export interface Block {
  at: number;
  token: Token;
}

/** The blocks of a Markdown text that grows. What is settled is never looked at again. */
export class GrowingText {
  #settled: Block[] = [];
  /** How much of the text the settled blocks are. */
  #length = 0;
  #text = '';

  /**
   * @param text what was given before and more; any other text begins anew
   * @param isWhole whether nothing follows
   */
  blocksOf(text: string, isWhole: boolean): readonly Block[] {
    if (!text.startsWith(this.#text)) {
      this.#settled = [];
      this.#length = 0;
    }
    this.#text = text;
    if (isWhole && this.#length > 0 && DEFINITION.test(text)) {
      this.#settled = [];
      this.#length = 0;
    }
    const open = lex(text.slice(this.#length), this.#length);
    if (isWhole) return [...this.#settled, ...open];
    const blocks = [...this.#settled, ...open];
    const contents = open.filter(({ token }) => token.type !== 'space');
    const firstOpen = contents.at(-OPEN_BLOCKS);
    if (firstOpen && contents.length > OPEN_BLOCKS) {
      this.#settled.push(...open.filter(({ at }) => at < firstOpen.at));
      this.#length = firstOpen.at;
    }
    return blocks;
  }
}

function lex(text: string, from: number): Block[] {
  let at = from;
  return new Lexer({ gfm: true, breaks: true }).lex(text).map((token) => {
    const block = { at, token };
    at += token.raw.length;
    return block;
  });
}
