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
  finishReason?: FinishReason | undefined;
  usage?: Usage | undefined;
}

/**
 * Makes the chunks of one call into the answer that the port promises, in one place for all vendors:
 * text parts that are never empty, then exactly one `finish`. `open` starts the call; its signal is
 * aborted when the caller's is, and also when the caller stops reading, so that no socket is left open.
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
    let visible = false;
    for await (const chunk of open(call.signal)) {
      finishReason = chunk.finishReason ?? finishReason;
      usage = chunk.usage ?? usage;
      if (chunk.text === undefined || chunk.text === '') continue;
      visible ||= /\S/u.test(chunk.text);
      yield { type: 'text', text: chunk.text };
    }
    whole = true;
    // An SDK may end its stream quietly when it is aborted.
    signal.throwIfAborted();
    if (finishReason === undefined) {
      throw new ProviderError('network', 'The answer was cut off: its stream ended without a finish reason');
    }
    if (!visible) throw emptyAnswer(finishReason);
    yield { type: 'finish', finishReason, usage };
  } catch (error) {
    signal.throwIfAborted();
    throw classify(error, mask);
  } finally {
    signal.removeEventListener('abort', abort);
    if (!whole) call.abort();
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
