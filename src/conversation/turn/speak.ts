import type { Happening } from '../happenings.ts';
import type { Ending } from '../log/events.ts';
import type { ContextMessage, ConversationLog } from '../log/log.ts';
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
import { decide } from './decide.ts';
import { type FallbackCandidate, fallbackCandidatesOf, nextFallbackCandidate } from './fallbacks.ts';
import { type AttemptCall, CircuitOpenError } from './lane.ts';
import type { BindModel, ModelBinding } from './model-binding.ts';
import { promptFor, withRejections } from './prompt.ts';
import { type GenerateRequest, ProviderError } from './provider.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import { reasonOf } from './stop.ts';

export interface SpeakParts extends AttemptParts {
  log: ConversationLog;
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
  readonly session: Session;
  /** Its number. */
  readonly number: number;
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
 * @returns the answer, the ending that the last failure means, or undefined where the run was stopped or the turn
 * was made void
 */
export function speak(
  parts: SpeakParts,
  session: Session,
  speaker: number,
  run: Run,
): Promise<Answer | Ending | undefined> {
  const turn = turnOf(session, speaker);
  const traced = { conversationId: session.conversationId, turn: turn.number, agent: turn.agent };
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
      run.settled();
      if (!(await session.readAgain()) || !isDue(turn)) return undefined;
      continue;
    }
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
      const change = { turn: turn.number, agent: turn.agent.name, from: candidate.model, to: next.model };
      parts.observe({ type: 'turn.fell_back', conversationId, ...change, why });
    }
    candidate = next;
    if (!(await pause(parts, retryInMs ?? 0, run.signal))) return undefined;
  }
}

/** Whether a turn is still to be spoken, in the order in which it was begun. */
function isDue({ session, number, speaker }: Turn): boolean {
  const command = decide(session.state);
  return command.kind === 'speak' && command.speaker === speaker && session.state.turns + 1 === number;
}

function turnOf(session: Session, speaker: number): Turn {
  const { conversationId, state } = session;
  const { agents, contextMessages, onCircuitOpen } = state.settings;
  const agent = agents[speaker];
  if (!agent) throw new Error(`the turn policy chose agent ${speaker} of ${agents.length}`);
  return {
    conversationId,
    session,
    number: state.turns + 1,
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
  outcome: Exclude<Outcome, { kind: 'answered' | 'stopped' | 'interrupted' }>,
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
  const all = turn.session.state.settings.contextMessages;
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
  { log }: SpeakParts,
  { conversationId, session, number, speaker, agent, contextMessages }: Turn,
  model: string,
): Promise<GenerateRequest> {
  const { state } = session;
  const recent = await recentFor(log, conversationId, state, agent.name, contextMessages);
  const { temperature, maxOutputTokens } = agent;
  const seed = `${conversationId}.${number}`;
  const prompt = promptFor(state.settings, speaker, withNudge(recent, state.nudge));
  const rejected = withRejections(prompt, state.rejections);
  return { ...rejected, model, temperature, maxOutputTokens, seed };
}

/** More than a prompt's messages are read where some of them may not be shown, but not without bound. */
const MOST_HIDDEN = 400;

/** The last messages that an agent may see (5.1). */
async function recentFor(
  log: ConversationLog,
  conversationId: string,
  { hidden, retracted }: ConversationState,
  agent: string,
  limit: number,
): Promise<readonly ContextMessage[]> {
  const recent = await log.getContext(conversationId, limit + Math.min(hidden, MOST_HIDDEN));
  if (hidden === 0) return recent;
  return recent
    .filter(
      ({ seq, sender, visibleTo }) =>
        !retracted.has(seq) && (!visibleTo || sender === agent || visibleTo.includes(agent)),
    )
    .slice(-limit);
}

/** One attempt, when it is affordable and its lane lets it through. Whatever it throws, those who watch are not left with its text. */
async function tryOnce(
  parts: SpeakParts,
  turn: Turn,
  candidate: FallbackCandidate,
  run: Run,
): Promise<Outcome> {
  const signal = run.attempt();
  const { live, observe, elapsed, tracer, dailyBudget } = parts;
  const { conversationId, session, agent } = turn;
  const { provider, model } = candidate.model;
  const binding = parts.bindModel(provider, model);
  if (!binding) {
    return { kind: 'impossible', ending: ending('configuration_error', `${provider} is not configured`) };
  }
  const request = await promptOf(parts, turn, model);
  if (signal.aborted) return stopped(signal);
  const { state } = session;
  const spared = overBudget(state, request, binding.price);
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
      if (startedAt === undefined) return stopped(signal);
      const why = reasonOf(signal);
      live.failed(conversationId, attempt, { error: why, retryInMs: why === 'interrupted' ? 0 : null });
      observe({ type: 'attempt.abandoned', conversationId, attempt, why, latencyMs: elapsed() - startedAt });
      return stopped(signal);
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

function stopped(signal: AbortSignal): Outcome {
  return { kind: reasonOf(signal) === 'interrupted' ? 'interrupted' : 'stopped' };
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
