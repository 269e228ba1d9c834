import {
  type ConversationEvent,
  type Ending,
  type MessageEvent,
  pausedEvent,
  replyEvent,
  terminationEvent,
} from '../log/events.ts';
import { readState } from '../log/read-state.ts';
import { apply, type ConversationState } from '../log/state.ts';
import { deadline, standardConditions } from '../policies/termination.ts';
import type { Answer } from './attempt.ts';
import { consequences } from './consequences.ts';
import { decide } from './decide.ts';
import { type Drain, Run } from './run.ts';
import { Session } from './session.ts';
import { type SpeakParts, speak } from './speak.ts';
import { reasonOf } from './stop.ts';

export type OrchestratorParts = SpeakParts;

/**
 * Runs a conversation from wherever its log stands, turn after turn. Fulfilled when it is ended, by this run or by
 * anybody, when it is paused, or when the run has left; the log is then where it is, for the next run to go on with.
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
  let stopListener: { stop: () => void } | undefined;
  try {
    // Before the log is read, so that no end falls between the two.
    stopListener = await parts.live.onStop(conversationId, (why) => {
      if (why === 'ended') run.stop('ended');
      else run.interrupt();
    });
    const read = await readState(parts.log, conversationId);
    if (read?.state.status !== 'running') return;
    const session = new Session(parts, conversationId, read.state);
    const { traceparent } = read.state;
    await parts.tracer.run({ id: conversationId, traceparent }, () => goOn(parts, session, run));
  } finally {
    stopListener?.stop();
    drain.tell(undefined);
  }
}

/** Takes turn after turn, until the conversation is ended or paused, or the run is stopped. */
async function goOn(parts: OrchestratorParts, session: Session, run: Run): Promise<void> {
  const { signal } = run;
  const { conversationId, state } = session;
  const { turns, createdAt } = state;
  if (turns > 0) parts.observe({ type: 'conversation.resumed', conversationId, turns });
  else {
    const waitedMs = Math.max(0, parts.now().getTime() - createdAt);
    parts.observe({ type: 'conversation.started', conversationId, waitedMs });
  }
  const timer = setTimeout(() => run.stop('timeout'), Math.max(0, deadline(state) - parts.now().getTime()));
  try {
    const overdue = standardConditions(state, parts.now());
    if (overdue) return await end(parts, session, overdue);
    while (!signal.aborted && (await takeStep(parts, session, run))) run.settled();
    if (session.state.status === 'running' && reasonOf(signal) === 'timeout') {
      const at = new Date(Math.max(deadline(session.state), parts.now().getTime()));
      const ending = standardConditions(session.state, at);
      if (ending) await end(parts, session, ending);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Does what is to be done next. False where there is nothing to do for this run. */
async function takeStep(parts: OrchestratorParts, session: Session, run: Run): Promise<boolean> {
  const command = decide(session.state);
  switch (command.kind) {
    case 'speak':
      await takeTurn(parts, session, command.speaker, run);
      return true;
    case 'wait':
      await session.append((state) => waitFor(state, parts.now()), run.signal);
      return true;
    case 'rest':
      return false;
    default:
      return command satisfies never;
  }
}

/** Has an agent speak, and appends: the message, and as one with it the end or the nudge that it calls for. */
async function takeTurn(
  parts: OrchestratorParts,
  session: Session,
  speaker: number,
  run: Run,
): Promise<void> {
  const { conversationId } = session;
  const turn = session.state.turns + 1;
  const spoken = await speak(parts, session, speaker, run);
  if (!spoken) return;
  if ('reason' in spoken) return await end(parts, session, spoken);
  const appended = await session.append<ConversationEvent>(
    (state) => (state.turns + 1 === turn ? afterAnswer(state, speaker, spoken, parts.now()) : []),
    run.signal,
  );
  for (const event of appended) {
    if (event.type === 'message') parts.observe({ type: 'turn.taken', conversationId, event });
    else if (event.type === 'conversation.nudged') {
      parts.observe({ type: 'conversation.nudged', conversationId, event });
    } else if (event.type === 'conversation.terminated') {
      parts.observe({ type: 'conversation.ended', conversationId, ending: event, turns: turn });
    }
  }
  await delay(parts, session, run);
}

/** The reply behind a state, with what follows from it; or held back, where somebody is to decide about it (10.4). */
function afterAnswer(
  state: ConversationState,
  speaker: number,
  { content, metadata }: Answer,
  at: Date,
): readonly ConversationEvent[] {
  const { agents, approval } = state.settings;
  const sender = agents[speaker]?.name ?? '';
  const event = replyEvent(state.lastSeq + 1, at, { turn: state.turns + 1, sender, content, metadata });
  return approval === 'every_turn' ? heldBack(event, at) : [event, ...consequences(apply(state, event), at)];
}

function heldBack({ seq, message }: MessageEvent, at: Date): readonly ConversationEvent[] {
  const { seq: _, ...reply } = message;
  return [
    { seq, type: 'turn.proposed', at: at.toISOString(), turn: message.turn, message: reply },
    pausedEvent(seq + 1, at, { for: 'approval', by: 'system', agent: message.sender }),
  ];
}

function waitFor(state: ConversationState, at: Date): readonly ConversationEvent[] {
  const command = decide(state);
  if (command.kind !== 'wait') return [];
  const agent = state.settings.agents[command.speaker]?.name ?? '';
  return [pausedEvent(state.lastSeq + 1, at, { for: 'human', by: 'system', agent })];
}

/** What is waited behind each message, so that one can read it. */
async function delay({ sleep }: OrchestratorParts, { state }: Session, { signal }: Run): Promise<void> {
  const { turnDelayMs = 0 } = state.settings;
  if (turnDelayMs === 0 || state.status !== 'running' || signal.aborted) return;
  await sleep(turnDelayMs, signal).catch((interruption: unknown) => {
    if (!signal.aborted) throw interruption;
  });
}

async function end(parts: OrchestratorParts, session: Session, ending: Ending): Promise<void> {
  const { conversationId } = session;
  // It is ended whether or not the run is stopped meanwhile.
  const [ended] = await session.append(
    (state) =>
      state.status === 'terminated' ? [] : [terminationEvent(state.lastSeq + 1, parts.now(), ending)],
    NEVER,
  );
  if (!ended) return;
  parts.observe({ type: 'conversation.ended', conversationId, ending, turns: session.state.turns });
}

const NEVER = new AbortController().signal;
