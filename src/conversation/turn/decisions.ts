import { aliasesFor } from '../asking/anonymous.ts';
import { AGREES, ballotQuestion, type Choice, readBallot, takesSeveral } from '../asking/ballot.ts';
import { choiceQuestion, readChoice } from '../asking/choice.ts';
import { transcriptOf } from '../asking/question.ts';
import { type Judgement, readVerdict, scaleOf, verdictQuestion } from '../asking/verdict.ts';
import type { Draft } from '../log/draft.ts';
import { type Ending, foundIn, type MessageMetadata, type VoteClosedEvent } from '../log/events.ts';
import type { AgentSettings, Decision } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import { inTurn, roundRobin } from '../policies/turn/speakers.ts';
import { verdictOf } from '../policies/verdicts.ts';
import { countVotes } from '../policies/votes.ts';
import { lookAtVerdict, lookAtWords } from '../stages/words.ts';
import { ask, charge, type Reply } from './ask.ts';
import { addEnd } from './consequences.ts';
import { decide, votersOf } from './decide.ts';
import { recentFor } from './request.ts';
import type { Run } from './run.ts';
import type { Session } from './session.ts';
import type { SpeakParts } from './speak.ts';

/** Messages that those see who are asked about a talk. */
const MOST_SHOWN = 200;

type Vote = Extract<Decision, { type: 'vote' | 'consensus' }>;

/** Has the moderator say who speaks next, or that it is over (9.1). Gives the ending where that is what comes of it. */
export async function choose(parts: SpeakParts, session: Session, run: Run): Promise<Ending | undefined> {
  const { conversationId, state } = session;
  const { turnPolicy, agents, topic } = state.settings;
  if (turnPolicy?.type !== 'moderator') return undefined;
  const { moderator, tries = 3 } = turnPolicy;
  const namesOf = (now: ConversationState): string[] =>
    inTurn({ settings: now.settings, named: now.named }).flatMap((index) => agents[index]?.name ?? []);
  const reply = await ask(parts, session, run, {
    agent: moderator,
    question: async (now) => {
      const messages = await recentFor(parts.log, conversationId, now, undefined, MOST_SHOWN);
      return choiceQuestion(topic, namesOf(now), messages, moderator.instructions);
    },
    read: (text) => readChoice(text, namesOf(session.state)),
    isDue: (now) => decide(conversationId, now).kind === 'choose',
    tries,
    purpose: 'choice',
  });
  if (reply.kind === 'stopped') return undefined;
  if (reply.kind === 'failed') return reply.ending;
  // A pause meanwhile loses no answer; somebody's own choice comes first.
  const isOpen = (now: ConversationState): boolean => now.turns === state.turns && now.chosen === null;
  if (reply.kind === 'read' && 'over' in reply.said) {
    await charge(parts, session, run, state.turns + 1, moderator, reply.metadata, 'over');
    return isOpen(session.state) ? { reason: 'completed', by: 'system' } : undefined;
  }
  await keep(parts, session, run, moderator, reply, (draft) => {
    const { state: now, nextSeq: seq } = draft;
    if (!isOpen(now)) return;
    const event = {
      seq,
      type: 'speaker.chosen',
      at: parts.now().toISOString(),
      turn: now.turns + 1,
    } as const;
    if (reply.kind === 'read' && 'agent' in reply.said) {
      const { agent } = reply.said;
      return draft.add({ ...event, agent, by: 'moderator', metadata: reply.metadata });
    }
    const agent = agents[roundRobin({ ...now, id: conversationId })]?.name ?? '';
    const detail = `${moderator.name} named nobody who can speak`;
    draft.add({ ...event, agent, by: 'fallback', detail });
  });
  return undefined;
}

/** Appends what a reply has come to; where it is too late for that, what it took. */
async function keep(
  parts: SpeakParts,
  session: Session,
  run: Run,
  agent: AgentSettings,
  reply: Reply<unknown>,
  write: (draft: Draft) => void,
): Promise<void> {
  const appended = await session.append((draft) => {
    if (draft.state.status !== 'terminated') write(draft);
  }, run.signal);
  if (appended.length > 0 || reply.kind !== 'read') return;
  await charge(parts, session, run, session.state.turns + 1, agent, reply.metadata, 'superseded');
}

/** Has everybody vote who has not, all at the same time; the last ballot closes the vote (9.4). */
export async function vote(
  parts: SpeakParts,
  session: Session,
  voters: readonly number[],
  run: Run,
): Promise<Ending | undefined> {
  const { decision } = session.state.settings;
  if (decision?.type !== 'vote' && decision?.type !== 'consensus') return undefined;
  const endings = await Promise.all(voters.map((voter) => cast(parts, session, decision, voter, run)));
  return endings.find((ending) => ending !== undefined);
}

/** Asks for one ballot. What it costs more than there is ends the vote. */
async function cast(
  parts: SpeakParts,
  session: Session,
  decision: Vote,
  voter: number,
  run: Run,
): Promise<Ending | undefined> {
  const { conversationId } = session;
  const { settings, votes } = session.state;
  const { agents, topic } = settings;
  const agent = agents[voter];
  if (!agent) return undefined;
  const isHidden = decision.type === 'vote' && decision.anonymous !== false;
  const aliases = aliasesFor(isHidden ? agents.map(({ name }) => name) : []);
  const options = optionsFor(decision, agents, agent.name);
  const shown = options.map((option) => aliases.of.get(option) ?? option);
  const meant = (option: string): string => aliases.behind.get(option) ?? option;
  const isDue = (now: ConversationState): boolean => {
    const command = decide(conversationId, now);
    return command.kind === 'vote' && command.voters.includes(voter);
  };
  const reply: Reply<Choice> = await ask(parts, session, run, {
    agent,
    question: async (now) => {
      const messages = await recentFor(parts.log, conversationId, now, agent.name, MOST_SHOWN);
      const transcript = transcriptOf(messages, aliases.hide);
      return ballotQuestion(decision, agent, topic, shown, transcript);
    },
    read: (text) => readBallot(text, shown, takesSeveral(decision)),
    isDue,
    tries: 2,
    purpose: 'ballot',
  });
  if (reply.kind === 'stopped') return undefined;
  if (reply.kind === 'failed' && SPENT.has(reply.ending.reason)) return reply.ending;
  const read = reply.kind === 'read' ? reply : undefined;
  const given = read?.said.why ?? null;
  const why = given === null ? null : named(given, aliases.behind);
  const words = await lookAtWords(parts.guards.of(settings.guard), [why], topic, run.signal);
  await keep(parts, session, run, agent, reply, (draft) => {
    const { state: now, nextSeq: seq } = draft;
    // A pause meanwhile loses no ballot.
    const isOpen = now.votes === votes && now.ballots.every((ballot) => ballot.agent !== agent.name);
    if (!isOpen) return;
    draft.add({
      seq,
      type: 'ballot.cast',
      at: parts.now().toISOString(),
      agent: agent.name,
      choice: read
        ? Array.isArray(read.said.choice)
          ? read.said.choice.map(meant)
          : meant(read.said.choice)
        : null,
      ...(given === null ? {} : { why: words.texts[0] ?? null }),
      metadata: { ...read?.metadata, ...foundIn(words.found) },
    });
    const isLast = draft.state.ballots.length >= votersOf(agents).length;
    if (isLast) closeVote(draft, decision, parts.now());
  });
  return undefined;
}

const SPENT: ReadonlySet<Ending['reason']> = new Set(['token_budget', 'cost_budget']);

/** Adds the count, and the end that a consensus is. */
function closeVote(draft: Draft, decision: Vote, at: Date): void {
  const { state, nextSeq: seq } = draft;
  const method = decision.type === 'consensus' ? 'consensus' : decision.method;
  const options = optionsFor(decision, state.settings.agents, undefined);
  const closed: VoteClosedEvent = {
    seq,
    type: 'vote.closed',
    at: at.toISOString(),
    ...countVotes(
      method,
      options,
      state.ballots,
      decision.type === 'consensus' ? { share: decision.share } : { quorum: decision.quorum },
    ),
  };
  draft.add(closed);
  if (closed.winner === null || decision.type !== 'consensus') return;
  const { agree = 0 } = closed.tally;
  const detail = `${agree} of ${state.ballots.length} agree`;
  addEnd(draft, at, { reason: 'consensus', detail, by: 'system' });
}

/** What can be voted for: by one voter, or by all. */
function optionsFor(
  decision: Vote,
  agents: readonly { name: string }[],
  voter: string | undefined,
): readonly string[] {
  if (decision.type === 'consensus') return AGREES;
  return decision.options ?? agents.map(({ name }) => name).filter((name) => name !== voter);
}

/** Has the judge score everybody, reading the talk in one order and in the other (9.5). */
export async function judge(parts: SpeakParts, session: Session, run: Run): Promise<Ending | undefined> {
  const { conversationId, state } = session;
  const { decision, agents, topic } = state.settings;
  if (decision?.type !== 'judge') return undefined;
  const names = agents.map(({ name }) => name);
  const orders = decision.bothOrders === false ? [names] : [names, [...names].reverse()];
  const criteria = decision.rubric.map(({ name }) => name);
  const isDue = (now: ConversationState): boolean => decide(conversationId, now).kind === 'judge';
  const readings: Judgement[] = [];
  const calls: MessageMetadata[] = [];
  for (const [place, order] of orders.entries()) {
    const aliases = aliasesFor(order);
    const shown = [...aliases.behind.keys()];
    const reply = await ask(parts, session, run, {
      agent: decision.judge,
      question: async (now) => {
        const messages = await recentFor(parts.log, conversationId, now, undefined, MOST_SHOWN);
        const transcript = transcriptOf(messages, aliases.hide);
        return verdictQuestion(decision, topic, shown, transcript);
      },
      read: (text) => readVerdict(text, shown, criteria, scaleOf(decision)),
      isDue,
      tries: 2,
      purpose: `verdict.${place}`,
    });
    const isSpent = reply.kind === 'failed' && SPENT.has(reply.ending.reason);
    if (reply.kind === 'stopped' || isSpent) {
      for (const call of calls) {
        await charge(parts, session, run, state.turns + 1, decision.judge, call, 'interrupted');
      }
      return isSpent ? reply.ending : undefined;
    }
    if (reply.kind !== 'read') break;
    const { scores, summary } = reply.said;
    readings.push({
      summary: summary === null ? null : named(summary, aliases.behind),
      scores: scores.map((score) => ({
        ...score,
        agent: aliases.behind.get(score.agent) ?? score.agent,
        why: score.why === null ? null : named(score.why, aliases.behind),
      })),
    });
    calls.push(reply.metadata);
  }
  const isWhole = readings.length === orders.length;
  const summary = (isWhole && readings[0]?.summary) || null;
  const scores = readings.map((reading) => reading.scores);
  const verdict = isWhole
    ? verdictOf(names, decision.rubric, scores)
    : { scores: [], totals: {}, winner: null };
  const guard = parts.guards.of(state.settings.guard);
  const { found, ...words } = await lookAtVerdict(
    guard,
    { summary, scores: verdict.scores },
    topic,
    run.signal,
  );
  await session.append((draft) => {
    if (!isDue(draft.state)) return;
    const [seq, at] = [draft.nextSeq, parts.now().toISOString()];
    const metadata = { ...together(calls), ...foundIn(found) };
    draft.add({ seq, type: 'verdict.given', at, ...verdict, ...words, metadata });
  }, run.signal);
  return undefined;
}

/** The names in the place of the aliases. */
function named(text: string, behind: ReadonlyMap<string, string>): string {
  return text.replace(/Participant \d+/g, (alias) => behind.get(alias) ?? alias);
}

/** What several calls took together, under the name of the last. */
function together(calls: readonly MessageMetadata[]): MessageMetadata {
  const last = calls.at(-1);
  if (!last) return {};
  const sum = (field: 'inputTokens' | 'outputTokens' | 'latencyMs' | 'attempts'): number =>
    calls.reduce((total, call) => total + (call[field] ?? 0), 0);
  const costs = calls.map(({ costUsd }) => costUsd);
  const isPriced = costs.every((cost) => cost !== undefined);
  const { costUsd: _cost, ...rest } = last;
  return {
    ...rest,
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    latencyMs: sum('latencyMs'),
    attempts: sum('attempts'),
    ...(isPriced ? { costUsd: costs.reduce((total, cost) => total + (cost ?? 0), 0) } : {}),
  };
}
