import type { Happening } from '../happenings.ts';
import type { PassageSearch } from '../knowledge/knowledge.ts';
import type { Ending } from '../log/events.ts';
import type { ConversationLog } from '../log/log.ts';
import type { ConversationSettings } from '../log/settings.ts';
import { BudgetSpentError, estimateInput, mostCost, overBudget } from '../policies/budget.ts';
import { deadline } from '../policies/termination.ts';
import type { Guards } from '../stages/guard.ts';
import type { AttemptUnderWay } from '../stream/frames.ts';
import type { LiveStage } from '../stream/live.ts';
import type { Tracer } from '../tracer.ts';
import { type Answer, type AttemptParts, makeAttempt, type Outcome, type Telling } from './attempt.ts';
import { type FallbackCandidate, nextFallbackCandidate } from './fallbacks.ts';
import { type AttemptCall, CircuitOpenError } from './lane.ts';
import type { BindModel } from './model-binding.ts';
import { type GenerateRequest, ProviderError } from './provider.ts';
import type { Run } from './run.ts';
import { type DayBudgets, newProgress, type Spent, spendingOf, withinDay } from './spending.ts';
import { reasonOf } from './stop.ts';
import { ending, learn, type Turn, waitsWhenOpen } from './turn.ts';

export interface SpeakParts extends Omit<AttemptParts, 'live'>, DayBudgets {
  live: LiveStage;
  log: ConversationLog;
  bindModel: BindModel;
  guards: Guards;
  /** A name that no other attempt ever has. */
  nameAttempt: () => string;
  /** Milliseconds to wait before the next try; undefined when the failure is final. `triesSoFar` is 1 after the first. */
  retryDelayMs: (error: ProviderError, triesSoFar: number) => number | undefined;
  /** Rejects with the signal's reason when it is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  now: () => Date;
  observe: (happening: Happening) => void;
  tracer: Tracer;
  /** Where agents look things up. */
  knowledge: PassageSearch;
}

/**
 * Has a model speak: one attempt after another, by the agent's own model or by a fallback, until one succeeds or
 * nobody is left who could.
 *
 * @returns the answer, the ending that the last failure means, or undefined where the run was stopped or the turn
 * was made void
 */
export function speak(parts: SpeakParts, turn: Turn, run: Run): Promise<Answer | Ending | undefined> {
  const traced = { conversationId: turn.conversationId, turn: turn.number, agent: turn.agent };
  return parts.tracer.turn(traced, () => tryUntilSpoken(parts, turn, run));
}

async function tryUntilSpoken(parts: SpeakParts, turn: Turn, run: Run): Promise<Answer | Ending | undefined> {
  const { conversationId, session } = turn;
  let [candidate] = turn.candidates as [FallbackCandidate];
  for (;;) {
    const current = candidate;
    const outcome = await parts.tracer.response(
      { conversationId, turn: turn.number, model: current.model },
      () => tryOnce(parts, turn, current, run),
    );
    if (outcome.kind === 'stopped') return undefined;
    if (outcome.kind === 'interrupted') {
      await account(parts, turn, outcome.spent, run);
      run.settled();
      if (!(await session.readAgain()) || !turn.isDue()) return undefined;
      continue;
    }
    if (outcome.kind === 'blocked') {
      await account(parts, turn, outcome.spent, run);
      return outcome.ending;
    }
    if (outcome.kind === 'answered') {
      outcome.answer.metadata.attempts = turn.attempts + 1;
      return outcome.answer;
    }
    const now = parts.elapsed();
    const why = learn(turn, candidate, outcome, now, parts.retryDelayMs);
    const isOver = turn.onCircuitOpen === 'end' && candidate.out?.reason === 'circuit_open';
    const next = isOver ? undefined : nextFallbackCandidate(turn.candidates, now);
    const retryInMs = next ? Math.max(0, Math.round(next.notBefore - now)) : null;
    if (outcome.kind === 'failed') {
      const { error, attempt, latencyMs } = outcome;
      turn.stage.failed(conversationId, attempt, { error: `${error.code}: ${error.message}`, retryInMs });
      parts.observe({ type: 'attempt.failed', conversationId, attempt, error, latencyMs, retryInMs });
      await account(parts, turn, outcome.spent, run);
    }
    run.settled();
    if (!next) return candidate.out;
    if (next !== candidate) {
      const change = { turn: turn.number, agent: turn.agent.name, from: candidate.model, to: next.model };
      parts.observe({ type: 'turn.fell_back', conversationId, ...change, why });
    }
    candidate = next;
    if (!(await pause(parts, retryInMs ?? 0, run.signal))) return undefined;
    // What was said, whispered or retracted meanwhile counts for the next try.
    if (!(await session.readAgain())) return undefined;
  }
}

/** Notes in the log what a failed attempt took, so that budgets and sums know of it. */
async function account({ now }: SpeakParts, { session }: Turn, spent: Spent, run: Run): Promise<void> {
  if (!spent) return;
  await session.append(
    (draft) => draft.add({ seq: draft.nextSeq, type: 'attempt.spent', at: now().toISOString(), ...spent }),
    run.signal,
  );
}

/** False where the run was stopped meanwhile. */
async function pause({ sleep }: SpeakParts, milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    if (milliseconds > 0) await sleep(milliseconds, signal);
  } catch (interruption) {
    if (!signal.aborted) throw interruption;
  }
  return !signal.aborted;
}

async function tryOnce(
  parts: SpeakParts,
  turn: Turn,
  candidate: FallbackCandidate,
  run: Run,
): Promise<Outcome> {
  const { signal, over } = run.attempt();
  try {
    return await attempt(parts, turn, candidate, run, signal);
  } finally {
    over();
  }
}

/** One attempt, when it is affordable and its lane lets it through. Whatever it throws, those who watch are not left with its text. */
async function attempt(
  parts: SpeakParts,
  turn: Turn,
  candidate: FallbackCandidate,
  run: Run,
  signal: AbortSignal,
): Promise<Outcome> {
  const { observe, elapsed, tracer } = parts;
  const { conversationId, session, agent, stage } = turn;
  const { provider, model } = candidate.model;
  const binding = parts.bindModel(provider, model);
  if (!binding) {
    return { kind: 'impossible', ending: ending('configuration_error', `${provider} is not configured`) };
  }
  let asked: GenerateRequest;
  try {
    asked = await turn.requestFor(model, turn.extent, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return stopped(signal, undefined);
  }
  const request: GenerateRequest = {
    ...asked,
    onRepeated() {
      turn.attempts++;
      observe({ type: 'attempt.repeated', conversationId, attempt });
    },
  };
  turn.shown = request.messagesShown ?? 1;
  turn.longest = Math.max(0, ...request.messages.map(({ content }) => content.length));
  if (signal.aborted) return stopped(signal, undefined);
  const { state } = session;
  const spared = overBudget(state, request, binding.price, session.reserved);
  if (spared) return { kind: 'impossible', ending: spared };

  const attempt: AttemptUnderWay = {
    id: parts.nameAttempt(),
    turn: turn.number,
    agent: agent.name,
    provider,
    model,
    afterSeq: state.lastSeq,
    afterMark: state.lastMark,
    text: '',
  };
  session.reserve(attempt.id, {
    tokens: estimateInput(request) + request.maxOutputTokens,
    costUsd: binding.price ? mostCost(binding.price, request) : 0,
  });
  const progress = newProgress();
  const telling: Telling = {
    progress,
    shown: shownOf(turn, state.settings.approval),
    guard: parts.guards.of(state.settings.guard),
  };
  const spentBy = (error: string): Spent => {
    const spent = spendingOf(progress, request, binding.price);
    const { id, turn, agent, provider, model } = attempt;
    return spent && { turn, attempt: id, agent, provider, model, ...spent, error };
  };
  const askedAt = elapsed();
  let startedAt: number | undefined;
  const make = (call: AttemptCall): Promise<Answer> => {
    run.paying();
    startedAt = elapsed();
    stage.started(conversationId, attempt);
    observe({ type: 'attempt.started', conversationId, attempt, waitedMs: startedAt - askedAt });
    return tracer.call({ conversationId, attempt, request }, () =>
      makeAttempt({ ...parts, live: stage }, conversationId, attempt, binding, request, call, telling),
    );
  };
  try {
    const answer = await binding.lane.run(
      (call) => withinDay(parts, state.key, binding, request, progress, () => make(call)),
      {
        tenant: state.tenant,
        tokens: estimateInput(request) + request.maxOutputTokens,
        whenOpen: waitsWhenOpen(turn, candidate) ? 'wait' : 'refuse',
        deadline: deadline(state),
        signal,
      },
    );
    observe({ type: 'attempt.succeeded', conversationId, attempt, answer });
    const { guard: found } = answer.metadata;
    if (found) observe({ type: 'guard.found', conversationId, found });
    if (answer.blockedBy !== undefined && turn.kind === 'reply') {
      session.release(attempt.id);
      const detail = `${agent.name}: ${answer.blockedBy}`;
      stage.failed(conversationId, attempt, { error: `guard_blocked: ${detail}`, retryInMs: null });
      return {
        kind: 'blocked',
        ending: ending('guard_blocked', detail),
        spent: spentBy('guard_blocked'),
      };
    }
    return { kind: 'answered', answer };
  } catch (error) {
    session.release(attempt.id);
    if (signal.aborted) {
      const why = reasonOf(signal);
      if (startedAt === undefined) return stopped(signal, undefined);
      stage.failed(conversationId, attempt, { error: why, retryInMs: why === 'interrupted' ? 0 : null });
      observe({ type: 'attempt.abandoned', conversationId, attempt, why, latencyMs: elapsed() - startedAt });
      return stopped(signal, spentBy(why));
    }
    if (error instanceof CircuitOpenError) return { kind: 'refused', error };
    if (error instanceof BudgetSpentError) return { kind: 'impossible', ending: error.ending };
    if (error instanceof ProviderError) {
      const latencyMs = elapsed() - (startedAt ?? elapsed());
      return { kind: 'failed', error, attempt, latencyMs, spent: spentBy(error.code) };
    }
    stage.failed(conversationId, attempt, { error: 'internal', retryInMs: null });
    throw error;
  }
}

function stopped(signal: AbortSignal, spent: Spent): Outcome {
  return reasonOf(signal) === 'interrupted' ? { kind: 'interrupted', spent } : { kind: 'stopped' };
}

/** What those who watch see of an attempt. */
function shownOf({ kind }: Turn, approval: ConversationSettings['approval']): Telling['shown'] {
  if (kind === 'words' || approval === 'every_turn') return 'hidden';
  return approval === 'flagged' ? 'whole' : 'as it comes';
}
