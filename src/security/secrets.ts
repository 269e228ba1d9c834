import { inspect } from 'node:util';
import { BEHIND_SOURCE, BEHIND_TOKEN_HINT, TOKEN_SOURCE } from './token-patterns.ts';

const MASK = '[masked]';

/** A value that shows itself only to who asks by name; printed, logged or serialised it is masked. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/**
 * What vendors' keys look like, for those that no configuration told us of: OpenAI and Anthropic (`sk-`),
 * xAI, Perplexity, Google (`AIza`), and whatever follows "Bearer" or a key header. Besides, this server's own keys
 * (`aic_`), of which it knows digests alone, also in base64 wherever they begin there, and its tickets.
 */
const KEY_SHAPES = [
  String.raw`\bsk-[\w-]{8,}`,
  String.raw`\bxai-[\w-]{8,}`,
  String.raw`\bpplx-[\w-]{8,}`,
  String.raw`\bAIza[\w-]{10,}`,
  String.raw`(?<=\bbearer[\s.]+)[\w.~+/=-]{8,}`,
  String.raw`(?<=\b(?:x-api-key|api-key|x-goog-api-key|authorization)\\*["']?\s*[:=]\s*\\*["']?)[\w.~+/=-]{8,}`,
  String.raw`(?<=\bbasic[\s.]+)[\w+/=-]{8,}`,
  String.raw`(?<=[?&](?:key|ticket)=)[\w.~+/=-]{8,}`,
  String.raw`aic(?:_|%5f)(?:[\w-]|%2d|%5f){43}`,
  String.raw`(?:YWljX[w-z\d+/_-]|[GWm2]FpY1[89+/_-]|haWNf)(?:[\w+/-]|%2[bf]){54,}`,
  // The password of an address, and a private key, whose lines may end with escaped line feeds.
  String.raw`(?<=:\/\/[^\s"'/?#@:]{0,64}:)[^\s"'/?#@]{1,256}(?=@)`,
  String.raw`-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[\w+/=\s:,.\\]|-(?!-))*(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?`,
];

/** In every text with such a shape stands one of these: a quick look spares most texts the slow one. */
const SHAPE_HINTS =
  'sk- xai- pplx- aiza bearer basic key authorization ticket aic_ aic%5f ywljx fpy1 hawnf @'.split(' ');
/** Whatever else begins like a vendor's token. */
const TOKENS = new RegExp(TOKEN_SOURCE, 'g');
const BEHIND = new RegExp(BEHIND_SOURCE, 'g');
/** Shorter values have forms in base64 that stand in other texts by chance. */
const SHORTEST_ENCODED = 8;

/**
 * A function that masks secrets in any text: the ones known by value, whether plain or escaped, for a URL
 * or for JSON within JSON however deep, or within something in base64, and whatever has the shape of a vendor's key.
 */
export function createMasker(secrets: readonly Secret[]): (text: string) => string {
  const values = secrets
    .map((secret) => secret.reveal())
    .filter((value) => value.length >= 4)
    // The longer first: where one begins like another, nothing of it may be left over.
    .sort((left, right) => right.length - left.length);
  const known = values.flatMap((value) => [literally(value), literally(encodeURIComponent(value))]);
  const encoded = values.filter(({ length }) => length >= SHORTEST_ENCODED).flatMap(coresInBase64);
  const pattern = new RegExp(
    [...new Set([...known, ...encoded.map(inBase64)]), ...KEY_SHAPES].join('|'),
    'gi',
  );
  const runs = [...values, ...encoded].map((value) => longestPlainRun(value.toLowerCase()));
  const hints = [...new Set(runs), ...SHAPE_HINTS];
  return (text) => {
    const lower = text.toLowerCase();
    const masked = hints.some((hint) => lower.includes(hint)) ? text.replace(pattern, MASK) : text;
    const shorter = masked.replace(TOKENS, MASK);
    return BEHIND_TOKEN_HINT.test(shorter) ? shorter.replace(BEHIND, MASK) : shorter;
  };
}

/** The part of a value that no escaping changes; may be empty, which every text includes. */
function longestPlainRun(value: string): string {
  return value.split(/[^\w-]+/).reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}

/** A pattern for a text whose quotes, backslashes and line feeds may be escaped, once or more often. */
function literally(text: string): string {
  return text.replaceAll(/[\n\\".*+?^${}()|[\]]/g, (sign) => {
    if (sign === '\\') return String.raw`\\+`;
    if (sign === '\n') return String.raw`(?:\n|\\+n)`;
    return sign === '"' ? String.raw`\\*"` : `\\${sign}`;
  });
}

/** What of a value stands in base64 whatever is around it, for each place in a group of three bytes where it may begin. */
function coresInBase64(value: string): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    return bytes.toString('base64').slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });
}

/** A pattern for base64 in either of its alphabets, also escaped for a URL. */
function inBase64(core: string): string {
  return core.replaceAll('+', '(?:[+-]|%2b)').replaceAll('/', '(?:[/_]|%2f)');
}
