import { sourcesOf } from '../knowledge/shown.ts';
import type { Ending, MessageMetadata } from '../log/events.ts';
import { costOf } from '../policies/budget.ts';
import { blockedBy, type Guard, together } from '../stages/guard.ts';
import { createSpeech, type Said } from '../stages/speech.ts';
import type { AttemptUnderWay } from '../stream/frames.ts';
import type { LiveStage } from '../stream/live.ts';
import { isBlank } from './blank.ts';
import type { AttemptCall, CircuitOpenError } from './lane.ts';
import type { ModelBinding } from './model-binding.ts';
import { type AnswerPart, type GenerateRequest, ProviderError } from './provider.ts';
import { estimated, type Progress, type Spent, trusted } from './spending.ts';

/** Cleans a text that comes in pieces; whatever goes in, each piece that comes out ends at a code point. */
export interface Sanitiser {
  push(text: string): string;
  /** What was held back. */
  end(): string;
}

export interface AttemptParts {
  live: Pick<LiveStage, 'started' | 'said' | 'failed'>;
  /** @param keepsDirections whether changes of direction stay, for a guard to see */
  createSanitiser: (keepsDirections: boolean) => Sanitiser;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  /** Code points; an answer is cut there, with `length` as its finish reason. */
  maxMessageLength: number;
}

/** A finished answer: its text, and what is known of how it came about. */
export interface Answer {
  /** As guards let it pass; empty where they don't. */
  content: string;
  metadata: MessageMetadata;
  /** As the model said it, where guards changed it: for who reads an answer that is no turn. */
  heard?: string;
  /** Why a guard doesn't let it pass. */
  blockedBy?: string;
}

/** What became of one try at a turn. */
export type Outcome =
  | { kind: 'answered'; answer: Answer }
  | { kind: 'failed'; error: ProviderError; attempt: AttemptUnderWay; latencyMs: number; spent: Spent }
  | { kind: 'refused'; error: CircuitOpenError }
  | { kind: 'impossible'; ending: Ending }
  /** A guard doesn't let it pass. */
  | { kind: 'blocked'; ending: Ending; spent: Spent }
  | { kind: 'stopped' }
  /** Somebody made it void; the turn may be spoken anew. */
  | { kind: 'interrupted'; spent: Spent };

/** What is to become of what an attempt says. */
export interface Telling {
  /** What is known of it while it is made. */
  progress: Progress;
  /** `whole`: nothing is shown before all of it is there, and then only where no guard found anything; `hidden`: nothing. */
  shown: 'as it comes' | 'whole' | 'hidden';
  guard: Guard | undefined;
}

/** Characters beyond the longest message that are waited for while nothing of an answer may be shown. */
const MOST_WAITED_FOR = 20_000;

/**
 * Has a provider answer once, looks at what it says, and shows it while it says it, as far as that may be.
 *
 * @throws ProviderError for a failed attempt, whose text is void; the signal's reason when it was aborted
 */
export async function makeAttempt(
  { live, createSanitiser, elapsed, maxMessageLength }: AttemptParts,
  conversationId: string,
  attempt: AttemptUnderWay,
  { provider, price }: ModelBinding,
  request: GenerateRequest,
  call: AttemptCall,
  { progress, shown, guard }: Telling,
): Promise<Answer> {
  const { signal } = call;
  const startedAt = elapsed();
  const sanitiser = createSanitiser(guard?.seesDirections ?? false);
  const speech = createSpeech(request.agent, request.others ?? []);
  const reply = guard?.listen();
  const fit = limitCodePoints(maxMessageLength);
  let firstTokenAt = startedAt;
  let finish: Extract<AnswerPart, { type: 'finish' }> | undefined;
  let content = '';
  let spokeFor: string | undefined;
  const show = (text: string): void => {
    const fitting = fit(text, content);
    content += fitting;
    if (fitting !== '' && shown === 'as it comes') live.said(conversationId, attempt, fitting);
    if (fitting !== text) finish = { type: 'finish', finishReason: 'length', usage: finish?.usage };
  };
  let hasInk = false;
  const hear = ({ text, cutAt }: Said): void => {
    if (cutAt !== undefined) {
      spokeFor = cutAt;
      finish = { type: 'finish', finishReason: 'stop', usage: finish?.usage };
    }
    if (text === '') return;
    if (progress.text === '') firstTokenAt = elapsed();
    progress.text += text;
    hasInk ||= !isBlank(text);
    show(reply ? reply.push(text) : text);
    if (progress.text.length > 2 * maxMessageLength + MOST_WAITED_FOR) {
      finish = { type: 'finish', finishReason: 'length', usage: finish?.usage };
    }
  };

  let written = 0;
  for await (const part of provider.generate(request, signal)) {
    if (signal.aborted) throw signal.reason;
    if (part.type === 'finish') finish = part;
    else {
      // Also what is only thought says that it works.
      call.firstToken();
      written += part.text.length;
      if (part.type === 'text') hear(speech.push(sanitiser.push(part.text)));
      progress.unsaid = written - progress.text.length;
    }
    if (finish) break;
  }
  if (signal.aborted) throw signal.reason;
  if (!finish) throw new ProviderError('network', 'the answer was cut off');
  progress.isFinished = true;
  progress.usage = trusted(finish.usage);
  if (spokeFor === undefined) {
    hear(speech.push(sanitiser.end()));
    hear(speech.end());
  }
  progress.unsaid = Math.max(0, written - progress.text.length);
  const latencyMs = Math.round(elapsed() - startedAt);

  if (!hasInk) throw new ProviderError('empty', 'the answer was empty');
  const looked = await reply?.end(signal, request.messages.at(-1)?.content ?? '');
  const found = together(looked?.found ?? [], request.shown?.found ?? []);
  if (looked) show(looked.text);
  const isBlocked = looked?.isBlocked ?? false;
  // Nothing but what was found, or is cut off, makes another text of it; to compare them would cost as much as to make them.
  const isAsHeard = found.length === 0 && content.length === progress.text.length;
  if (!isAsHeard && !isBlocked && isBlank(content)) {
    throw new ProviderError('empty', 'the answer was empty');
  }
  if (shown === 'whole' && !isBlocked && found.length === 0) live.said(conversationId, attempt, content);
  const counted = progress.usage;
  const usage = counted ?? estimated(request, progress.text, progress.unsaid);
  return {
    content,
    metadata: {
      provider: attempt.provider,
      model: attempt.model,
      ...usage,
      ...(counted ? {} : { usageEstimated: true }),
      ...(price ? { costUsd: costOf(price, usage) } : {}),
      latencyMs,
      timeToFirstTokenMs: Math.round(firstTokenAt - startedAt),
      attempt: attempt.id,
      finishReason: finish.finishReason,
      ...(spokeFor === undefined ? {} : { spokeFor }),
      ...(finish.task ? { task: finish.task } : {}),
      ...(found.length > 0 ? { guard: [...found] } : {}),
      ...(request.shown ? sourcesOf(request.shown, content) : {}),
    },
    ...(isAsHeard ? {} : { heard: progress.text }),
    ...(isBlocked ? { blockedBy: blockedBy(looked?.found ?? []) } : {}),
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
