import type { Ending, MessageMetadata, SpentEvent } from '../log/events.ts';
import { costOf, estimateInput, estimateTokens, type Price } from '../policies/budget.ts';
import type { AttemptUnderWay } from '../stream/frames.ts';
import type { LiveStage } from '../stream/live.ts';
import type { AttemptCall, CircuitOpenError } from './lane.ts';
import type { ModelBinding } from './model-binding.ts';
import { type AnswerPart, type GenerateRequest, ProviderError } from './provider.ts';

/** Cleans a text that comes in pieces; whatever goes in, each piece that comes out ends at a code point. */
export interface Sanitiser {
  push(text: string): string;
  /** What was held back. */
  end(): string;
}

export interface AttemptParts {
  live: Pick<LiveStage, 'started' | 'said' | 'failed'>;
  createSanitiser: () => Sanitiser;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  /** Code points; an answer is cut there, with `length` as its finish reason. */
  maxMessageLength: number;
}

type Usage = NonNullable<Extract<AnswerPart, { type: 'finish' }>['usage']>;

/** What an attempt has said and cost so far, for whoever has to account for it, whatever becomes of it. */
export interface Progress {
  text: string;
  /** The vendor has ended its answer. */
  isFinished: boolean;
  /** As the vendor counted; undefined where it has told nothing. */
  usage: Usage | undefined;
}

export function newProgress(): Progress {
  return { text: '', isFinished: false, usage: undefined };
}

/**
 * What an attempt took: as the vendor counted, or estimated from its prompt and its text. Undefined where nothing
 * says that it took anything: no text came and no end.
 */
export function spendingOf(
  { text, isFinished, usage }: Progress,
  request: GenerateRequest,
  price: Price | undefined,
): Pick<SpentEvent, 'inputTokens' | 'outputTokens' | 'costUsd' | 'estimated'> | undefined {
  if (text === '' && !isFinished) return undefined;
  const tokens = usage ?? { inputTokens: estimateInput(request), outputTokens: estimateTokens(text) };
  return { ...tokens, costUsd: price ? costOf(price, tokens) : null, estimated: !usage };
}

/** A finished answer: its text, and what is known of how it came about. */
export interface Answer {
  content: string;
  metadata: MessageMetadata;
}

/** What became of one try at a turn. */
export type Outcome =
  | { kind: 'answered'; answer: Answer }
  | { kind: 'failed'; error: ProviderError; attempt: AttemptUnderWay; latencyMs: number; spent: Spent }
  | { kind: 'refused'; error: CircuitOpenError }
  | { kind: 'impossible'; ending: Ending }
  | { kind: 'stopped' }
  /** Somebody made it void; the turn may be spoken anew. */
  | { kind: 'interrupted'; spent: Spent };

/** What a failed attempt took, as it stands in the log; undefined where it took nothing. */
export type Spent = Omit<SpentEvent, 'seq' | 'at' | 'type'> | undefined;

/**
 * Has a provider answer once, and shows what it says while it says it, unless it is held back.
 *
 * @param progress what is known of it while it is made
 * @throws ProviderError for a failed attempt, whose text is void; the signal's reason when it was aborted
 */
export async function makeAttempt(
  { live, createSanitiser, elapsed, maxMessageLength }: AttemptParts,
  conversationId: string,
  attempt: AttemptUnderWay,
  { provider, price }: ModelBinding,
  request: GenerateRequest,
  call: AttemptCall,
  { progress, isHeldBack }: { progress: Progress; isHeldBack: boolean },
): Promise<Answer> {
  const { signal } = call;
  const startedAt = elapsed();
  const sanitiser = createSanitiser();
  const fit = limitCodePoints(maxMessageLength);
  let firstTokenAt = startedAt;
  let finish: Extract<AnswerPart, { type: 'finish' }> | undefined;
  const say = (text: string): void => {
    if (text === '') return;
    if (progress.text === '') {
      firstTokenAt = elapsed();
      call.firstToken();
    }
    const fitting = fit(text, progress.text);
    progress.text += fitting;
    if (fitting !== '' && !isHeldBack) live.said(conversationId, attempt, fitting);
    if (fitting !== text) finish = { type: 'finish', finishReason: 'length', usage: finish?.usage };
  };

  for await (const part of provider.generate(request, signal)) {
    if (signal.aborted) throw signal.reason;
    if (part.type === 'text') say(sanitiser.push(part.text));
    else finish = part;
    if (finish) break;
  }
  if (signal.aborted) throw signal.reason;
  if (!finish) throw new ProviderError('network', 'the answer was cut off');
  progress.isFinished = true;
  progress.usage = trusted(finish.usage);
  say(sanitiser.end());

  const content = progress.text;
  if (content.trim() === '') throw new ProviderError('empty', 'the answer was empty');
  const counted = progress.usage;
  const usage = counted ?? {
    inputTokens: estimateInput(request),
    outputTokens: estimateTokens(content),
  };
  return {
    content,
    metadata: {
      provider: attempt.provider,
      model: attempt.model,
      ...usage,
      ...(counted ? {} : { usageEstimated: true }),
      ...(price ? { costUsd: costOf(price, usage) } : {}),
      latencyMs: Math.round(elapsed() - startedAt),
      timeToFirstTokenMs: Math.round(firstTokenAt - startedAt),
      attempt: attempt.id,
      finishReason: finish.finishReason,
    },
  };
}

/** A function that gives the part of each piece that still fits behind all before it. */
function limitCodePoints(limit: number): (piece: string, before: string) => string {
  let room: number | undefined;
  return (piece, before) => {
    // UTF-16 units are never fewer than code points, so almost always nothing has to be counted.
    if (before.length + piece.length <= limit) return piece;
    room ??= limit - Array.from(before).length;
    let fitting = '';
    for (const point of piece) {
      if (room <= 0) break;
      room--;
      fitting += point;
    }
    return fitting;
  };
}

/** What a vendor counted, where it can be: some servers send fractions, or less than nothing. */
function trusted(usage: Usage | undefined): Usage | undefined {
  const counts = usage && [usage.inputTokens, usage.outputTokens];
  return counts?.every((count) => Number.isSafeInteger(count) && count >= 0) ? usage : undefined;
}
