import type { Happening } from '../happenings.ts';
import type { Ending } from '../log/events.ts';
import type { ConversationQueue } from '../log/log.ts';
import type { AgentSettings, ConversationSettings } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import {
  BudgetSpentError,
  type DailyBudget,
  estimateInput,
  mostCost,
  overBudget,
} from '../policies/budget.ts';
import { withNudge } from '../policies/nudge.ts';
import { deadline } from '../policies/termination.ts';
import type { AttemptUnderWay } from '../stream/frames.ts';
import type { Tracer } from '../tracer.ts';
import { type Answer, type AttemptParts, makeAttempt, type Outcome } from './attempt.ts';
import { type FallbackCandidate, fallbackCandidatesOf, nextFallbackCandidate } from './fallbacks.ts';
import { type AttemptCall, CircuitOpenError } from './lane.ts';
import type { BindModel, ModelBinding } from './model-binding.ts';
import { promptFor } from './prompt.ts';
import { type GenerateRequest, ProviderError } from './provider.ts';
import type { Run } from './run.ts';
import { reasonOf } from './stop.ts';

export interface SpeakParts extends AttemptParts {
  queue: ConversationQueue;
  bindModel: BindModel;
  /** What all conversations together may spend in a day; undefined where there is no limit. */
  dailyBudget: DailyBudget | undefined;
  /** A name that no other attempt ever has. */
  nameAttempt: () => string;
  /** Milliseconds to wait before the next try; undefined when the failure is final. `triesSoFar` is 1 after the first. */
  retryDelayMs: (error: ProviderError, triesSoFar: number) => number | undefined;
  /** Rejects with the signal's reason when it is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  observe: (happening: Happening) => void;
  tracer: Tracer;
}

/** A turn while it is being tried. */
interface Turn {
  readonly conversationId: string;
  readonly state: ConversationState;
  readonly speaker: number;
  readonly agent: AgentSettings;
  readonly onCircuitOpen: NonNullable<ConversationSettings['onCircuitOpen']>;
  readonly candidates: readonly FallbackCandidate[];
  attempts: number;
  contextMessages: number;
}

/**
 * Has the agent whose turn it is speak: one attempt after another, by its own model or by a fallback, until
 * one succeeds or nobody is left who could.
 *
 * @returns the answer, the ending that the last failure means, or undefined where the run was stopped
 */
export function speak(
  parts: SpeakParts,
  conversationId: string,
  state: ConversationState,
  speaker: number,
  run: Run,
): Promise<Answer | Ending | undefined> {
  const turn = turnOf(conversationId, state, speaker);
  const traced = { conversationId, turn: state.turns + 1, agent: turn.agent };
  return parts.tracer.turn(traced, () => tryUntilSpoken(parts, turn, run));
}

async function tryUntilSpoken(parts: SpeakParts, turn: Turn, run: Run): Promise<Answer | Ending | undefined> {
  const { conversationId, state } = turn;
  let [candidate] = turn.candidates as [FallbackCandidate];
  for (;;) {
    const current = candidate;
    const outcome = await parts.tracer.response(
      { conversationId, turn: state.turns + 1, model: current.model },
      () => tryOnce(parts, turn, current, run),
    );
    if (outcome.kind === 'stopped') return undefined;
    if (outcome.kind === 'answered') {
      outcome.answer.metadata.attempts = turn.attempts + 1;
      return outcome.answer;
    }
    run.settled();
    const now = parts.elapsed();
    const why = learn(turn, candidate, outcome, now, parts.retryDelayMs);
    const isOver = turn.onCircuitOpen === 'end' && candidate.out?.reason === 'circuit_open';
    const next = isOver ? undefined : nextFallbackCandidate(turn.candidates, now);
    const retryInMs = next ? Math.max(0, Math.round(next.notBefore - now)) : null;
    if (outcome.kind === 'failed') {
      const { error, attempt, latencyMs } = outcome;
      parts.live.failed(conversationId, attempt, { error: `${error.code}: ${error.message}`, retryInMs });
      parts.observe({ type: 'attempt.failed', conversationId, attempt, error, latencyMs, retryInMs });
    }
    if (!next) return candidate.out;
    if (next !== candidate) {
      const change = { turn: state.turns + 1, agent: turn.agent.name, from: candidate.model, to: next.model };
      parts.observe({ type: 'turn.fell_back', conversationId, ...change, why });
    }
    candidate = next;
    if (!(await pause(parts, retryInMs ?? 0, run.signal))) return undefined;
  }
}

function turnOf(conversationId: string, state: ConversationState, speaker: number): Turn {
  const { agents, contextMessages, onCircuitOpen } = state.settings;
  const agent = agents[speaker];
  if (!agent) throw new Error(`the turn policy chose agent ${speaker} of ${agents.length}`);
  return {
    conversationId,
    state,
    speaker,
    agent,
    onCircuitOpen: onCircuitOpen ?? (agent.fallbacks?.length ? 'fallback' : 'wait'),
    candidates: fallbackCandidatesOf(agent),
    attempts: 0,
    contextMessages,
  };
}

/** Notes what a try in vain means for the model that made it; gives the failure's name. */
function learn(
  turn: Turn,
  candidate: FallbackCandidate,
  outcome: Exclude<Outcome, { kind: 'answered' | 'stopped' }>,
  now: number,
  retryDelayMs: SpeakParts['retryDelayMs'],
): string {
  if (outcome.kind === 'impossible') {
    candidate.out = outcome.ending;
    return outcome.ending.reason;
  }
  const { error } = outcome;
  if (outcome.kind === 'refused') {
    if (waitsWhenOpen(turn, candidate) || turn.onCircuitOpen === 'end') {
      candidate.out = ending(
        'circuit_open',
        `${turn.agent.name} (${candidate.model.provider}): ${error.message}`,
      );
    }
    candidate.refused = true;
    return 'circuit_open';
  }
  turn.attempts++;
  candidate.tries++;
  for (const candidate of turn.candidates) candidate.refused = false;
  const all = turn.state.settings.contextMessages;
  const shorten =
    outcome.error.code === 'context_too_long' && turn.contextMessages === all && turn.contextMessages > 1;
  if (shorten) turn.contextMessages = Math.floor(all / 2);
  const delayMs = shorten ? 0 : retryDelayMs(outcome.error, candidate.tries);
  if (delayMs === undefined) {
    const detail = `${turn.agent.name} (${candidate.model.provider}): ${outcome.error.code}: ${error.message}`;
    candidate.out = ending(outcome.error.reason, detail);
  } else candidate.notBefore = now + delayMs;
  return outcome.error.code;
}

/** One whose circuit is open is asked again only where nobody else is left, and then there is but waiting. */
function waitsWhenOpen({ onCircuitOpen }: Turn, { refused }: FallbackCandidate): boolean {
  return onCircuitOpen === 'wait' || (onCircuitOpen === 'fallback' && refused);
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

async function promptOf(
  { queue }: SpeakParts,
  { conversationId, state, speaker, agent, contextMessages }: Turn,
  model: string,
): Promise<GenerateRequest> {
  const recent = await queue.getContext(conversationId, contextMessages);
  const { temperature, maxOutputTokens } = agent;
  const seed = `${conversationId}.${state.turns + 1}`;
  const prompt = promptFor(state.settings, speaker, withNudge(recent, state.nudge));
  return { ...prompt, model, temperature, maxOutputTokens, seed };
}

/** One attempt, when it is affordable and its lane lets it through. Whatever it throws, those who watch are not left with its text. */
async function tryOnce(
  parts: SpeakParts,
  turn: Turn,
  candidate: FallbackCandidate,
  run: Run,
): Promise<Outcome> {
  const { signal } = run;
  const { live, observe, elapsed, tracer, dailyBudget } = parts;
  const { conversationId, state, agent } = turn;
  const { provider, model } = candidate.model;
  const binding = parts.bindModel(provider, model);
  if (!binding) {
    return { kind: 'impossible', ending: ending('configuration_error', `${provider} is not configured`) };
  }
  const request = await promptOf(parts, turn, model);
  if (signal.aborted) return { kind: 'stopped' };
  const spared = overBudget(state, request, binding.price);
  if (spared) return { kind: 'impossible', ending: spared };

  const attempt: AttemptUnderWay = {
    id: parts.nameAttempt(),
    turn: state.turns + 1,
    agent: agent.name,
    provider,
    model,
    afterSeq: state.lastSeq,
    afterMark: state.lastMark,
    text: '',
  };
  const askedAt = elapsed();
  let startedAt: number | undefined;
  const make = (call: AttemptCall): Promise<Answer> => {
    run.paying();
    startedAt = elapsed();
    live.started(conversationId, attempt);
    observe({ type: 'attempt.started', conversationId, attempt, waitedMs: startedAt - askedAt });
    return tracer.call({ conversationId, attempt, request }, () =>
      makeAttempt(parts, conversationId, attempt, binding, request, call),
    );
  };
  try {
    const answer = await binding.lane.run(
      (call) =>
        dailyBudget
          ? withinDailyBudget(dailyBudget, binding, request, attempt, () => make(call))
          : make(call),
      {
        tokens: estimateInput(request) + request.maxOutputTokens,
        whenOpen: waitsWhenOpen(turn, candidate) ? 'wait' : 'refuse',
        deadline: deadline(state),
        signal,
      },
    );
    observe({ type: 'attempt.succeeded', conversationId, attempt, answer });
    return { kind: 'answered', answer };
  } catch (error) {
    if (signal.aborted) {
      if (startedAt === undefined) return { kind: 'stopped' };
      const why = reasonOf(signal);
      live.failed(conversationId, attempt, { error: why, retryInMs: null });
      observe({ type: 'attempt.abandoned', conversationId, attempt, why, latencyMs: elapsed() - startedAt });
      return { kind: 'stopped' };
    }
    if (error instanceof CircuitOpenError) return { kind: 'refused', error };
    if (error instanceof BudgetSpentError) return { kind: 'impossible', ending: error.ending };
    if (error instanceof ProviderError) {
      const latencyMs = elapsed() - (startedAt ?? elapsed());
      return { kind: 'failed', error, attempt, latencyMs };
    }
    live.failed(conversationId, attempt, { error: 'internal', retryInMs: null });
    throw error;
  }
}

/** Sets the most that a call may cost aside for as long as it lasts. */
async function withinDailyBudget(
  dailyBudget: DailyBudget,
  { price }: ModelBinding,
  request: GenerateRequest,
  attempt: AttemptUnderWay,
  call: () => Promise<Answer>,
): Promise<Answer> {
  const most = price && mostCost(price, request);
  const reservation = await dailyBudget.reserve(most);
  // What a vendor asks for an attempt that broke off is not known: nothing without a word of it, else the most.
  let spent = (): number => (attempt.text === '' ? 0 : (most ?? 0));
  try {
    const answer = await call();
    spent = () => answer.metadata.costUsd ?? 0;
    return answer;
  } finally {
    reservation.settle(spent());
  }
}

function ending(reason: Ending['reason'], detail: string): Ending {
  return { reason, detail, by: 'system' };
}
