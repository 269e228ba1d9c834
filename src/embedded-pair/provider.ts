import type { AnswerPart, GenerateRequest, Provider } from '../conversation/turn/provider.ts';
import { ELIZA } from './eliza.ts';
import { reply } from './engine.ts';
import { answerInForm } from './judging.ts';
import { PARRY } from './parry.ts';

/** The characters in the process; without keys and network, and the same seed gives the same talk. */
export const EMBEDDED_MODELS = ['eliza', 'parry'] as const;

/** The rule of thumb of the vendors for English: a token is 3/4 of a word, or 4 characters. */
const TOKENS_PER_WORD = 4 / 3;
const CHARS_PER_TOKEN = 4;

/**
 * Rules in the process as a provider. It streams word by word, each text part being a word and the space
 * after it. Both token counts are estimates: characters / 4 of what was shown, words × 4 / 3 of the answer.
 *
 * @param options.tokenDelayMs the wait between two words, in milliseconds; 0 waits not at all
 */
export function embeddedProvider({ tokenDelayMs }: { tokenDelayMs: number }): Provider {
  return {
    // What nobody watches needs no time to be read.
    generate: (request, signal) =>
      tokenDelayMs > 0 && !request.form ? spoken(request, tokenDelayMs, signal) : atOnce(request, signal),
  };
}

function* partsOf(request: GenerateRequest): Generator<AnswerPart, undefined> {
  const { form } = request;
  const text = form ? answerInForm(form, request) : reply(request.model === 'parry' ? PARRY : ELIZA, request);
  const allowed = form
    ? Number.MAX_SAFE_INTEGER
    : Math.max(1, Math.floor(request.maxOutputTokens / TOKENS_PER_WORD));
  let words = 0;
  let start = 0;
  while (start < text.length && words < allowed) {
    const space = text.indexOf(' ', start);
    const end = space < 0 ? text.length : space + 1;
    words++;
    yield { type: 'text', text: text.slice(start, words === allowed && space >= 0 ? space : end) };
    start = end;
  }
  yield {
    type: 'finish',
    finishReason: start < text.length ? 'length' : 'stop',
    usage: { inputTokens: inputTokens(request), outputTokens: Math.round(words * TOKENS_PER_WORD) },
  };
}

/** One listener serves all the waits, because each one of its own would cost more than its wait. */
async function* spoken(
  request: GenerateRequest,
  tokenDelayMs: number,
  signal: AbortSignal,
): AsyncGenerator<AnswerPart, undefined> {
  let timer: NodeJS.Timeout | undefined;
  let wake = (): void => {};
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    let hasBegun = false;
    for (const part of partsOf(request)) {
      if (hasBegun && part.type === 'text' && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, tokenDelayMs);
        });
      }
      signal.throwIfAborted();
      hasBegun = true;
      yield part;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Word by word, too, at half of what an async generator costs, which awaits what it yields. */
function atOnce(request: GenerateRequest, signal: AbortSignal): AsyncIterable<AnswerPart> {
  const parts = partsOf(request);
  const next = (): Promise<IteratorResult<AnswerPart, undefined>> => {
    signal.throwIfAborted();
    return Promise.resolve(parts.next());
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

function inputTokens({ system, messages }: GenerateRequest): number {
  const chars = messages.reduce((sum, { content }) => sum + content.length, system.length);
  return Math.ceil(chars / CHARS_PER_TOKEN);
}
