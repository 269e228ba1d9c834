import type { Draft } from '../log/draft.ts';
import { defined, type Ending, pausedEvent } from '../log/events.ts';
import { readState } from '../log/read-state.ts';
import type { ConversationState } from '../log/state.ts';
import { deadline, standardConditions, timeout } from '../policies/termination.ts';
import { spokenInRound } from '../policies/turn/panel.ts';
import { addEnd } from './consequences.ts';
import { decide } from './decide.ts';
import { choose, judge, vote } from './decisions.ts';
import { type Drain, Run } from './run.ts';
import { Session } from './session.ts';
import type { SpeakParts } from './speak.ts';
import { reasonOf } from './stop.ts';
import { takeRound, takeTurn } from './turns.ts';

/**
 * Runs a conversation from wherever its log stands, turn after turn. Fulfilled when it is ended, by this run or by
 * anybody, when it is paused, or when the run has left; the log is then where it is, for the next run to go on with.
 *
 * @throws whatever the storage throws; nothing acknowledged is lost, and another run may go on
 */
export async function runConversation(
  parts: SpeakParts,
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
async function goOn(parts: SpeakParts, session: Session, run: Run): Promise<void> {
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
    const overdue = overdueIn(state, parts.now());
    if (overdue) return await end(parts, session, overdue);
    while (!signal.aborted && (await takeStep(parts, session, run))) {
      session.releaseAll();
      run.allSettled();
    }
    if (session.state.status === 'running' && reasonOf(signal) === 'timeout') {
      const at = new Date(Math.max(deadline(session.state), parts.now().getTime()));
      const ending = session.state.closing ? closingOf(session.state.closing) : timeout(session.state, at);
      if (ending) await end(parts, session, ending);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The end of a log that an earlier release left without one, or whose time is up. */
function overdueIn(state: ConversationState, now: Date): Ending | undefined {
  const isDecided = state.closing !== null || spokenInRound(state) > 0;
  return isDecided ? undefined : standardConditions(state, now);
}

function closingOf({ reason, detail }: NonNullable<ConversationState['closing']>): Ending {
  return { reason, ...defined({ detail }), by: 'system' };
}

/** Does what is to be done next. False where there is nothing to do for this run. */
async function takeStep(parts: SpeakParts, session: Session, run: Run): Promise<boolean> {
  const command = decide(session.conversationId, session.state);
  let ending: Ending | undefined;
  switch (command.kind) {
    case 'speak':
      ending = await takeTurn(parts, session, command.speaker, run);
      break;
    case 'speak together':
      ending = await takeRound(parts, session, command.speakers, run);
      break;
    case 'wait':
      await session.append((draft) => addWait(session.conversationId, draft, parts.now()), run.signal);
      break;
    case 'choose':
      ending = await choose(parts, session, run);
      break;
    case 'vote':
      ending = await vote(parts, session, command.voters, run);
      break;
    case 'judge':
      ending = await judge(parts, session, run);
      break;
    case 'end':
      ending = command.ending;
      break;
    case 'rest':
      return false;
    default:
      return command satisfies never;
  }
  const { state } = session;
  // What is to be decided behind the end is not, where there is not enough left for it; the reason is the same.
  if (ending) await end(parts, session, state.closing ? closingOf(state.closing) : ending);
  return true;
}

function addWait(conversationId: string, draft: Draft, at: Date): void {
  const { state, nextSeq } = draft;
  const command = decide(conversationId, state);
  if (command.kind !== 'wait') return;
  const agent = state.settings.agents[command.speaker]?.name ?? '';
  draft.add(pausedEvent(nextSeq, at, { for: 'human', by: 'system', agent }));
}

/** Ends it; or where something is decided before the end, says that it is certain. */
async function end(parts: SpeakParts, session: Session, ending: Ending): Promise<void> {
  // It is ended whether or not the run is stopped meanwhile.
  await session.append((draft) => {
    if (draft.state.status !== 'terminated') addEnd(draft, parts.now(), ending);
  }, NEVER);
}

const NEVER = new AbortController().signal;
