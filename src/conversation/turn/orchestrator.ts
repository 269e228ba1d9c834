import { AppError } from '../../errors.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { type Ending, nudgeEvent, replyEvent, terminationEvent } from '../log/events.ts';
import { type ConversationQueue, isLastPage } from '../log/log.ts';
import { apply, type ConversationState, fold } from '../log/state.ts';
import { nudgeDue } from '../policies/nudge.ts';
import { type Condition, deadline } from '../policies/termination.ts';
import type { TurnPolicy } from '../policies/turn-policy.ts';
import { type Drain, Run } from './run.ts';
import { type SpeakParts, speak } from './speak.ts';
import { reasonOf } from './stop.ts';

export interface OrchestratorParts extends SpeakParts {
  nextSpeaker: TurnPolicy;
  conditions: Condition;
  now: () => Date;
}

const PAGE_EVENTS = 1000;

/**
 * Runs a conversation from wherever its log stands to its end, turn after turn. Fulfilled when it is ended,
 * by this run or by anybody, or when the run has left; the log is then where it is, for the next run to go
 * on with.
 *
 * @throws whatever the storage throws; nothing acknowledged is lost, and another run may go on
 */
export async function runConversation(
  parts: OrchestratorParts,
  conversationId: string,
  drain: Drain,
): Promise<void> {
  const run = new Run();
  drain.tell(run);
  let endListener: { stop: () => void } | undefined;
  try {
    // Before the log is read, so that no end falls between the two.
    endListener = await parts.live.onEnd(conversationId, () => run.stop('ended'));
    const state = await readLog(parts.queue, conversationId);
    if (state?.status !== 'running') return;
    const { traceparent } = state;
    await parts.tracer.run({ id: conversationId, traceparent }, () =>
      goOn(parts, conversationId, state, run),
    );
  } finally {
    endListener?.stop();
    drain.tell(undefined);
  }
}

/** Takes turn after turn from a state on, until the conversation is ended or the run is stopped. */
async function goOn(
  parts: OrchestratorParts,
  conversationId: string,
  from: ConversationState,
  run: Run,
): Promise<void> {
  const { signal } = run;
  const { turns, createdAt } = from;
  if (turns > 0) parts.observe({ type: 'conversation.resumed', conversationId, turns });
  else {
    const waitedMs = Math.max(0, parts.now().getTime() - createdAt);
    parts.observe({ type: 'conversation.started', conversationId, waitedMs });
  }
  const timer = setTimeout(() => run.stop('timeout'), Math.max(0, deadline(from) - parts.now().getTime()));
  try {
    const overdue = parts.conditions(from, parts.now());
    if (overdue) return await end(parts, conversationId, from, overdue);
    let state: ConversationState | undefined = from;
    while (state?.status === 'running' && !signal.aborted) {
      state = await takeTurn(parts, conversationId, state, run);
      run.settled();
    }
    if (state?.status === 'running' && reasonOf(signal) === 'timeout') {
      const ending = parts.conditions(state, new Date(Math.max(deadline(state), parts.now().getTime())));
      if (ending) await end(parts, conversationId, state, ending);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Picks the speaker, has it speak, and appends: the message, and as one with it the end or the nudge that it calls for. */
async function takeTurn(
  parts: OrchestratorParts,
  conversationId: string,
  state: ConversationState,
  run: Run,
): Promise<ConversationState | undefined> {
  const { agents } = state.settings;
  const speaker = parts.nextSpeaker({ agents, turns: state.turns });
  const spoken = await speak(parts, conversationId, state, speaker, run);
  if (!spoken) return state;
  if ('reason' in spoken) {
    await end(parts, conversationId, state, spoken);
    return await readLog(parts.queue, conversationId);
  }

  const turn = state.turns + 1;
  const sender = agents[speaker]?.name ?? '';
  const now = parts.now();
  const event = replyEvent(state.lastSeq + 1, now, { turn, sender, ...spoken });
  const next = apply(state, event);
  const ending = parts.conditions(next, now);
  const nudge = ending ? undefined : nudgeDue(next);
  const second = ending
    ? terminationEvent(event.seq + 1, now, ending)
    : nudge && nudgeEvent(event.seq + 1, now, nudge);
  const appended = await patiently(parts, run.signal, () =>
    parts.queue.addMessage(conversationId, state.lastSeq, second ? [event, second] : [event]),
  );
  // All of it anew: where the storage lost its last moments, the log is another than what was known of it.
  if (appended !== 'appended') return await readLog(parts.queue, conversationId);
  parts.observe({ type: 'turn.taken', conversationId, event });
  if (ending) parts.observe({ type: 'conversation.ended', conversationId, ending, turns: turn });
  if (!second) return next;
  if (second.type === 'conversation.nudged') {
    parts.observe({ type: 'conversation.nudged', conversationId, event: second });
  }
  return apply(next, second);
}

/**
 * Appends again while the storage is too busy, so that an answer that was paid for isn't lost. If the first
 * append did go through, the second meets a conflict, and nothing stands there twice.
 */
async function patiently<T>(
  { sleep }: OrchestratorParts,
  signal: AbortSignal,
  append: () => Promise<T>,
): Promise<T> {
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 30_000)) {
    try {
      return await append();
    } catch (error) {
      if (!(error instanceof AppError && error.retryable) || signal.aborted) throw error;
      await sleep(waitMs, signal);
    }
  }
}

async function end(
  { queue, observe }: OrchestratorParts,
  conversationId: string,
  { turns }: ConversationState,
  ending: Ending,
): Promise<void> {
  const outcome = await queue.markTerminated(conversationId, ending);
  if (outcome === 'appended') observe({ type: 'conversation.ended', conversationId, ending, turns });
}

/** Folds the whole log. Undefined where there is no such conversation. */
async function readLog(
  queue: ConversationQueue,
  conversationId: string,
): Promise<ConversationState | undefined> {
  let state: ConversationState | undefined;
  for (;;) {
    const entries = await queue.readOn(conversationId, state?.lastSeq ?? 0, PAGE_EVENTS);
    state = fold(
      state,
      entries.map(({ json }) => readEvent(json)),
    );
    if (isLastPage(entries, PAGE_EVENTS)) return state;
  }
}
