import {
  type ConversationEvent,
  type Ending,
  type MessageEvent,
  pausedEvent,
  replyEvent,
} from '../log/events.ts';
import { apply, type ConversationState } from '../log/state.ts';
import { estimateInput, mostCost, overBudget } from '../policies/budget.ts';
import { debatePlaceOf } from '../policies/turn/debate.ts';
import { charge } from './ask.ts';
import type { Answer } from './attempt.ts';
import { consequences } from './consequences.ts';
import { decide } from './decide.ts';
import { turnRequest } from './request.ts';
import { WaitingStage } from './round.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import { type SpeakParts, speak } from './speak.ts';
import { newTurn, type Stage, type Turn } from './turn.ts';

/** Has an agent speak, and appends: the message, and as one with it the end or the nudge that it calls for. */
export async function takeTurn(
  parts: SpeakParts,
  session: Session,
  speaker: number,
  run: Run,
): Promise<Ending | undefined> {
  const number = session.state.turns + 1;
  const isDue = (): boolean => {
    const command = decide(session.conversationId, session.state);
    return command.kind === 'speak' && command.speaker === speaker && session.state.turns + 1 === number;
  };
  const spoken = await speak(
    parts,
    turnOf(parts, session, { number, speaker, stage: parts.live, isDue }),
    run,
  );
  if (!spoken) return undefined;
  if ('reason' in spoken) return spoken;
  await appendAnswer(parts, session, { number, speaker }, spoken, run);
  await delay(parts, session, run);
  return undefined;
}

/**
 * Has the rest of a panel's round speak at the same time. Each turn stands in the order of the roster, and is shown
 * from the moment at which those before it stand. What somebody makes void meanwhile is spoken anew.
 */
export async function takeRound(
  parts: SpeakParts,
  session: Session,
  speakers: readonly number[],
  run: Run,
): Promise<Ending | undefined> {
  const { conversationId, state } = session;
  const [first = 0] = speakers;
  // A reply that is held back stops the talk; the others of the round follow when it is decided about.
  if (state.settings.approval === 'every_turn') return await takeTurnOfRound(parts, session, first, run);
  const spared = await spareRound(parts, session, speakers);
  if (spared) return spared;
  const members = speakers.map((speaker, place) => {
    const number = state.turns + 1 + place;
    const isDue = (): boolean => session.state.status === 'running' && session.state.turns < number;
    const stage = new WaitingStage(parts.live);
    const turn = turnOf(parts, session, { number, speaker, stage, isDue });
    const interruptions = run.interruptions;
    return { speaker, number, stage, turn, interruptions, spoken: speak(parts, turn, run) };
  });
  try {
    for (const member of members) {
      const { speaker, number, stage, turn } = member;
      stage.open(conversationId, session.state);
      let spoken = await member.spoken;
      while (spoken && !('reason' in spoken) && member.interruptions !== run.interruptions && turn.isDue()) {
        member.interruptions = run.interruptions;
        await charge(parts, session, run, number, turn.agent, spoken.metadata, 'interrupted');
        await session.readAgain();
        spoken = turn.isDue() ? await speak(parts, turn, run) : undefined;
      }
      if (!spoken) return undefined;
      if ('reason' in spoken) return spoken;
      await appendAnswer(parts, session, { number, speaker }, spoken, run);
      if (session.state.status !== 'running' || session.state.turns !== number) return undefined;
    }
    await delay(parts, session, run);
    return undefined;
  } finally {
    // Whoever still speaks speaks in vain.
    run.interrupt();
    await Promise.allSettled(members.map(({ spoken }) => spoken));
  }
}

/** The ending that a round would have to be spared for, all of its calls together; nothing where there is no limit. */
async function spareRound(
  { log, bindModel }: SpeakParts,
  { conversationId, state }: Session,
  speakers: readonly number[],
): Promise<Ending | undefined> {
  const { maxTotalTokens, maxCostUsd } = state.settings.termination;
  if (maxTotalTokens === undefined && maxCostUsd === undefined) return undefined;
  const reserved = { tokens: 0, costUsd: 0 };
  for (const [place, speaker] of speakers.entries()) {
    const { provider = '', model = '' } = state.settings.agents[speaker] ?? {};
    const { contextMessages } = state.settings;
    const number = state.turns + 1 + place;
    const request = await turnRequest(log, conversationId, state, {
      number,
      speaker,
      model,
      contextMessages,
    });
    const price = bindModel(provider, model)?.price;
    const ending = overBudget(state, request, price, reserved);
    if (ending) return ending;
    reserved.tokens += estimateInput(request) + request.maxOutputTokens;
    reserved.costUsd += price ? mostCost(price, request) : 0;
  }
  return undefined;
}

/** As takeTurn, of the first that is due in a round. */
async function takeTurnOfRound(
  parts: SpeakParts,
  session: Session,
  speaker: number,
  run: Run,
): Promise<Ending | undefined> {
  const number = session.state.turns + 1;
  const isDue = (): boolean => session.state.status === 'running' && session.state.turns + 1 === number;
  const spoken = await speak(
    parts,
    turnOf(parts, session, { number, speaker, stage: parts.live, isDue }),
    run,
  );
  if (!spoken) return undefined;
  if ('reason' in spoken) return spoken;
  await appendAnswer(parts, session, { number, speaker }, spoken, run);
  return undefined;
}

function turnOf(
  { log }: SpeakParts,
  session: Session,
  given: { number: number; speaker: number; stage: Stage; isDue: () => boolean },
): Turn {
  const { number, speaker, stage, isDue } = given;
  const { conversationId, state } = session;
  const agent = state.settings.agents[speaker];
  if (!agent) throw new Error(`agent ${speaker} of ${state.settings.agents.length} is to speak`);
  return newTurn(session, {
    number,
    agent,
    stage,
    isDue,
    requestFor: (model, contextMessages) =>
      turnRequest(log, conversationId, session.state, { number, speaker, model, contextMessages }),
  });
}

async function appendAnswer(
  parts: SpeakParts,
  session: Session,
  { number, speaker }: { number: number; speaker: number },
  answer: Answer,
  run: Run,
): Promise<void> {
  const { conversationId } = session;
  const appended = await session.append<ConversationEvent>(
    (state) => (state.turns + 1 === number ? afterAnswer(state, speaker, answer, parts.now()) : []),
    run.signal,
  );
  for (const event of appended) {
    if (event.type === 'message') parts.observe({ type: 'turn.taken', conversationId, event });
    else if (event.type === 'conversation.nudged') {
      parts.observe({ type: 'conversation.nudged', conversationId, event });
    } else if (event.type === 'conversation.terminated') {
      parts.observe({ type: 'conversation.ended', conversationId, ending: event, turns: number });
    }
  }
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
  const turn = state.turns + 1;
  const place = debatePlaceOf(state.settings, state.turns);
  const debated = place ? { ...metadata, side: place.side, phase: place.phase } : metadata;
  const event = replyEvent(state.lastSeq + 1, at, { turn, sender, content, metadata: debated });
  return approval === 'every_turn' ? heldBack(event, at) : [event, ...consequences(apply(state, event), at)];
}

function heldBack({ seq, message }: MessageEvent, at: Date): readonly ConversationEvent[] {
  const { seq: _, ...reply } = message;
  return [
    { seq, type: 'turn.proposed', at: at.toISOString(), turn: message.turn, message: reply },
    pausedEvent(seq + 1, at, { for: 'approval', by: 'system', agent: message.sender }),
  ];
}

/** What is waited behind each message, so that one can read it. */
async function delay({ sleep }: SpeakParts, { state }: Session, { signal }: Run): Promise<void> {
  const { turnDelayMs = 0 } = state.settings;
  if (turnDelayMs === 0 || state.status !== 'running' || signal.aborted) return;
  await sleep(turnDelayMs, signal).catch((interruption: unknown) => {
    if (!signal.aborted) throw interruption;
  });
}
