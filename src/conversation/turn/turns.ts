import type { Shown } from '../knowledge/knowledge.ts';
import { lookUp, usesOf } from '../knowledge/look-up.ts';
import type { Draft } from '../log/draft.ts';
import { type Ending, type MessageEvent, pausedEvent, replyEvent } from '../log/events.ts';
import type { ContextMessage } from '../log/log.ts';
import { estimateInput, mostCost, overBudget } from '../policies/budget.ts';
import { debatePlaceOf } from '../policies/turn/debate.ts';
import { charge } from './ask.ts';
import type { Answer } from './attempt.ts';
import { addConsequences } from './consequences.ts';
import { type Command, decide } from './decide.ts';
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
    return firstSpeaker(command) === speaker && session.state.turns + 1 === number;
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

function firstSpeaker(command: Command): number | undefined {
  if (command.kind === 'speak') return command.speaker;
  return command.kind === 'speak together' ? command.speakers[0] : undefined;
}

/** One of a round, and what it says. */
interface Member {
  readonly speaker: number;
  readonly turn: Turn;
  readonly stage: WaitingStage;
  said: Promise<Said>;
}

/** What a member said, and how often answers of the run had been made void by then. */
interface Said {
  spoken: Answer | Ending | undefined;
  interruptions: number;
}

/**
 * Has the rest of a panel's round speak at the same time. Each turn stands in the order of the roster, and is shown
 * from the moment at which those before it stand. What somebody makes void meanwhile is spoken anew; what comes to
 * nothing, because the round ends before it, is charged.
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
  if ((state.settings.approval ?? 'none') !== 'none') return await takeTurn(parts, session, first, run);
  const spared = await spareRound(parts, session, speakers);
  if (spared) return spared;
  let isOver = false;
  const members = speakers.map((speaker, place): Member => {
    const number = state.turns + 1 + place;
    const isDue = (): boolean =>
      !isOver && session.state.status === 'running' && session.state.turns < number;
    const stage = new WaitingStage(parts.live);
    const turn = turnOf(parts, session, { number, speaker, stage, isDue });
    return { speaker, turn, stage, said: say(parts, turn, run) };
  });
  const waiting = [...members];
  try {
    for (const member of members) {
      const { speaker, turn, stage } = member;
      stage.open(conversationId, session.state);
      const spoken = await validAnswer(parts, session, member, run);
      if (!spoken) return undefined;
      if ('reason' in spoken) return spoken;
      await appendAnswer(parts, session, { number: turn.number, speaker }, spoken, run);
      if (session.state.turns !== turn.number) return undefined;
      waiting.shift();
    }
  } finally {
    isOver = true;
    if (waiting.length > 0) run.interrupt();
    await Promise.allSettled(waiting.map((member) => giveUp(parts, session, member, run)));
  }
  await delay(parts, session, run);
  return undefined;
}

function say(parts: SpeakParts, turn: Turn, run: Run): Promise<Said> {
  const said = speak(parts, turn, run).then((spoken) => ({ spoken, interruptions: run.interruptions }));
  // It may fail while nobody waits for it yet.
  said.catch(() => {});
  return said;
}

/** What a member says, spoken anew as often as somebody made it void behind its last word. */
async function validAnswer(
  parts: SpeakParts,
  session: Session,
  member: Member,
  run: Run,
): Promise<Answer | Ending | undefined> {
  const { turn } = member;
  for (;;) {
    const { spoken, interruptions } = await member.said;
    if (!spoken || 'reason' in spoken || interruptions === run.interruptions) return spoken;
    member.said = Promise.resolve({ spoken: undefined, interruptions });
    await charge(parts, session, run, turn.number, turn.agent, spoken.metadata, 'interrupted');
    await session.readAgain();
    if (turn.isDue()) member.said = say(parts, turn, run);
  }
}

/** Charges what a member says that won't stand. */
async function giveUp(parts: SpeakParts, session: Session, { turn, said }: Member, run: Run): Promise<void> {
  const { spoken } = await said;
  if (!spoken || 'reason' in spoken) return;
  await charge(parts, session, run, turn.number, turn.agent, spoken.metadata, 'interrupted');
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
      extent: { messages: contextMessages, characters: Infinity },
    });
    const price = bindModel(provider, model)?.price;
    const ending = overBudget(state, request, price, reserved);
    if (ending) return ending;
    reserved.tokens += estimateInput(request) + request.maxOutputTokens;
    reserved.costUsd += price ? mostCost(price, request) : 0;
  }
  return undefined;
}

function turnOf(
  parts: SpeakParts,
  session: Session,
  given: { number: number; speaker: number; stage: Stage; isDue: () => boolean },
): Turn {
  const { number, speaker, stage, isDue } = given;
  const { conversationId, state } = session;
  const agent = state.settings.agents[speaker];
  if (!agent) throw new Error(`agent ${speaker} of ${state.settings.agents.length} is to speak`);
  const lookUpFor = lookingUp(parts, session, given);
  return newTurn(session, {
    number,
    agent,
    stage,
    kind: 'reply',
    isDue,
    requestFor: (model, extent, signal) =>
      turnRequest(
        parts.log,
        conversationId,
        session.state,
        { number, speaker, model, extent },
        lookUpFor(signal),
      ),
  });
}

/** Looks passages up for a turn: once, until something else is said. Undefined for who looks nothing up. */
function lookingUp(
  parts: SpeakParts,
  session: Session,
  { number: turn, speaker }: { number: number; speaker: number },
): (signal: AbortSignal) => ((recent: readonly ContextMessage[]) => Promise<Shown>) | undefined {
  const { conversationId, state } = session;
  const uses = usesOf(state.settings, speaker);
  if (uses.length === 0) return () => undefined;
  let last: { behind: number | undefined; shown: Shown } | undefined;
  return (signal) => async (recent) => {
    const behind = recent.at(-1)?.seq;
    if (last?.behind === behind && last) return last.shown;
    const { knowledge, elapsed, observe, tracer, guards } = parts;
    const { tenant, settings } = state;
    const guard = guards.of(settings.guard);
    const collections = uses.map(({ collection }) => collection);
    const shown = await tracer.retrieval({ conversationId, turn, collections }, () =>
      lookUp(
        {
          knowledge,
          guard,
          elapsed,
          observe: (lookedUp) => observe({ type: 'knowledge.looked_up', conversationId, turn, ...lookedUp }),
        },
        uses,
        { tenant, topic: settings.topic, recent },
        signal,
      ),
    );
    last = { behind, shown };
    return shown;
  };
}

async function appendAnswer(
  parts: SpeakParts,
  session: Session,
  { number, speaker }: { number: number; speaker: number },
  answer: Answer,
  run: Run,
): Promise<void> {
  await session.append((draft) => {
    if (draft.state.turns + 1 === number) addAnswer(draft, speaker, answer, parts.now());
  }, run.signal);
}

/** Adds the reply and what follows from it; or holds it back, where somebody is to decide about it (10.4). */
function addAnswer(draft: Draft, speaker: number, { content, metadata }: Answer, at: Date): void {
  const { settings, turns } = draft.state;
  const { agents, approval } = settings;
  const sender = agents[speaker]?.name ?? '';
  const place = debatePlaceOf(settings, turns);
  const debated = place ? { ...metadata, side: place.side, phase: place.phase } : metadata;
  const event = replyEvent(draft.nextSeq, at, { turn: turns + 1, sender, content, metadata: debated });
  const isHeldBack = approval === 'every_turn' || (approval === 'flagged' && metadata.guard !== undefined);
  if (isHeldBack) return addProposal(draft, event, at);
  draft.add(event);
  addConsequences(draft, at);
}

function addProposal(draft: Draft, { seq, message }: MessageEvent, at: Date): void {
  const { seq: _, ...reply } = message;
  draft.add({ seq, type: 'turn.proposed', at: at.toISOString(), turn: message.turn, message: reply });
  draft.add(pausedEvent(draft.nextSeq, at, { for: 'approval', by: 'system', agent: message.sender }));
}

/** What is waited behind each message, so that one can read it. */
async function delay({ sleep }: SpeakParts, { state }: Session, { signal }: Run): Promise<void> {
  const { turnDelayMs = 0 } = state.settings;
  if (turnDelayMs === 0 || state.status !== 'running' || signal.aborted) return;
  await sleep(turnDelayMs, signal).catch((interruption: unknown) => {
    if (!signal.aborted) throw interruption;
  });
}
