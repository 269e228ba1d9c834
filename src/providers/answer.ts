import type { RemoteTask } from '../conversation/log/events.ts';
import { isBlank } from '../conversation/turn/blank.ts';
import { type AnswerPart, type FinishReason, ProviderError } from '../conversation/turn/provider.ts';
import { classify } from './classify.ts';

/** Tokens that the vendor counts; thinking counts as output. */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
}

/** What one piece of a vendor's stream adds; a later finish reason or usage replaces an earlier one. */
export interface Chunk {
  text?: string | undefined;
  /** What the model thinks, where the vendor tells it apart. */
  thought?: string | undefined;
  finishReason?: FinishReason | undefined;
  usage?: Usage | undefined;
  task?: RemoteTask | undefined;
}

/** What may still come behind the end of an answer: its usage, or nothing where that has come. In milliseconds. */
const AFTER_FINISH_MS = { withoutUsage: 1000, withUsage: 200 };

/**
 * Makes the chunks of one call into the answer that the port promises, in one place for all vendors:
 * text parts that are never empty, then exactly one `finish`. `open` starts the call; its signal is
 * aborted when the caller's is, and also when the caller stops reading, so that no socket is left open.
 *
 * An answer with its finish is kept, whatever happens behind it: the connection left open, cut, an error.
 *
 * Throws the signal's reason when it is aborted; otherwise a ProviderError, `network` for a stream that
 * ended without a finish reason, and `empty` for an answer that is nothing but white space.
 */
export async function* answerOf(
  open: (signal: AbortSignal) => AsyncIterable<Chunk>,
  signal: AbortSignal,
  mask: (text: string) => string,
): AsyncGenerator<AnswerPart, void, undefined> {
  signal.throwIfAborted();
  // The SDKs leave listeners on the signal they are given, some for as long as it lives: they get one of their own.
  const call = new AbortController();
  const abort = () => call.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  let whole = false;
  try {
    let finishReason: FinishReason | undefined;
    let usage: Usage | undefined;
    let task: RemoteTask | undefined;
    let visible = false;
    let isLeft = false;
    const chunks = open(call.signal)[Symbol.asyncIterator]();
    for (;;) {
      const next = finishReason === undefined ? await chunks.next() : await rest(chunks, usage !== undefined);
      if (next === 'nothing more' || next.done) {
        isLeft = next === 'nothing more';
        break;
      }
      const chunk = next.value;
      finishReason = chunk.finishReason ?? finishReason;
      usage = chunk.usage ?? usage;
      task = chunk.task ?? task;
      if (chunk.thought) yield { type: 'thought', text: chunk.thought };
      if (chunk.text === undefined || chunk.text === '') continue;
      visible ||= !isBlank(chunk.text);
      yield { type: 'text', text: chunk.text };
    }
    whole = !isLeft;
    // An SDK may end its stream quietly when it is aborted.
    signal.throwIfAborted();
    if (finishReason === undefined) {
      throw new ProviderError('network', 'The answer was cut off: its stream ended without a finish reason');
    }
    if (!visible) throw emptyAnswer(finishReason);
    yield { type: 'finish', finishReason, usage, ...(task ? { task } : {}) };
  } catch (error) {
    signal.throwIfAborted();
    throw classify(error, mask);
  } finally {
    signal.removeEventListener('abort', abort);
    if (!whole) call.abort();
  }
}

/** What comes behind the end, as far as it comes soon. */
async function rest(
  chunks: AsyncIterator<Chunk>,
  hasUsage: boolean,
): Promise<IteratorResult<Chunk> | 'nothing more'> {
  const { promise: tooLate, resolve } = Promise.withResolvers<'nothing more'>();
  const patience = hasUsage ? AFTER_FINISH_MS.withUsage : AFTER_FINISH_MS.withoutUsage;
  const timer = setTimeout(() => resolve('nothing more'), patience);
  const next = chunks.next().catch(() => 'nothing more' as const);
  try {
    return await Promise.race([next, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function emptyAnswer(finishReason: FinishReason): ProviderError {
  return new ProviderError(
    'empty',
    finishReason === 'length'
      ? 'The answer has no text: all of its tokens were used up before the first word, most likely by thinking'
      : 'The answer has no text',
  );
}
