import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { approve } from '../../src/conversation/hands/approve.ts';
import { choose } from '../../src/conversation/hands/choose.ts';
import { type Hand, takeHand } from '../../src/conversation/hands/hand.ts';
import { pause, resume } from '../../src/conversation/hands/pause.ts';
import { retract } from '../../src/conversation/hands/retract.ts';
import { say } from '../../src/conversation/hands/say.ts';
import type { Message, TerminatedEvent } from '../../src/conversation/log/events.ts';
import { isTurn } from '../../src/conversation/log/record.ts';
import type { ConversationSettings } from '../../src/conversation/log/settings.ts';
import { type ConversationState, fold } from '../../src/conversation/log/state.ts';
import { whatHolds } from '../../src/conversation/policies/conditions.ts';
import { loopIn } from '../../src/conversation/policies/loops.ts';
import { isPlanOver } from '../../src/conversation/policies/turn/turn-policy.ts';
import { runConversation } from '../../src/conversation/turn/orchestrator.ts';
import { type GenerateRequest, ProviderError } from '../../src/conversation/turn/provider.ts';
import { Drain } from '../../src/conversation/turn/run.ts';
import { AppError } from '../../src/errors.ts';
import { LocalLive } from '../../src/live/local.ts';
import { createLanes } from '../../src/protection/lanes.ts';
import { DEFAULT_LANE_SETTINGS } from '../../src/protection/settings.ts';
import { readEvent } from '../../src/protocol/read-event.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { agent, conversation, readLog, settings } from '../fixtures/conversations.ts';
import { orchestratorParts } from '../fixtures/orchestrator-parts.ts';
import { type Act, finish, ScriptedProvider, text } from '../fixtures/providers.ts';
import { asked } from '../fixtures/storage.ts';

const NAMES = ['Ada', 'Ben', 'Cyd'];
const VOID = 'void text that nobody may find';
const WHISPER = 'whispered to Ada alone';
const model = agent('Moderator of choices', { provider: 'scripted', model: 'a' });

type Policy = NonNullable<ConversationSettings['turnPolicy']>;
type Decision = NonNullable<ConversationSettings['decision']>;

const policy: fc.Arbitrary<Policy> = fc.constantFrom<Policy[]>(
  { type: 'round_robin' },
  { type: 'random', seed: 7 },
  { type: 'weighted', weights: { Ada: 3 } },
  { type: 'mention' },
  { type: 'moderator', moderator: model, tries: 2 },
  { type: 'debate', sides: [['Ada'], ['Ben', 'Cyd']], rounds: 1 },
  { type: 'panel', rounds: 2 },
  { type: 'panel', rounds: 2, anonymous: true },
);
const decision: fc.Arbitrary<Decision | undefined> = fc.constantFrom<(Decision | undefined)[]>(
  undefined,
  { type: 'vote', method: 'plurality', at: 'end' },
  { type: 'vote', method: 'ranked', options: ['tea', 'coffee', 'none'], at: { everyRounds: 1 } },
  { type: 'consensus', share: 0.5 },
  {
    type: 'judge',
    judge: agent('Judge', { provider: 'scripted', model: 'a' }),
    rubric: [{ name: 'clarity', description: 'is clear' }],
  },
);
const when = fc.constantFrom<ConversationSettings['termination']['when'][]>(
  undefined,
  { all: [{ turns: 3 }, { not: { said: 'never said' } }] },
  { any: [{ rounds: 2 }, { spoke: 'Cyd', times: 2 }] },
  { said: 'Answer 4', by: 'Ben' },
);

type Call = 'answers' | 'nonsense' | 'fails' | 'fails late' | 'refuses';
const call = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Call>('answers') },
  { weight: 3, arbitrary: fc.constantFrom<Call[]>('nonsense', 'fails', 'fails late') },
  { weight: 1, arbitrary: fc.constant<Call>('refuses') },
);

/** What a person does, or what becomes of the run, when so many calls have been made. */
const hand = fc.record({
  at: fc.integer({ min: 0, max: 14 }),
  kind: fc.constantFrom(
    ...(['pause', 'pause now', 'resume', 'say', 'whisper', 'interrupt', 'next', 'retract'] as const),
    ...(['leave', 'abort'] as const),
  ),
  seq: fc.integer({ min: 3, max: 9 }),
});
type Doing = typeof hand extends fc.Arbitrary<infer Of> ? Of : never;

function handOf({ kind, seq }: Doing): Hand | undefined {
  switch (kind) {
    case 'pause':
      return pause({});
    case 'pause now':
      return pause({ now: true });
    case 'resume':
      return resume;
    case 'say':
      return say({ content: `Somebody says at ${seq}.` });
    case 'whisper':
      return say({ content: WHISPER, visibleTo: ['Ada'] });
    case 'interrupt':
      return say({ content: `Stop at ${seq}!`, interrupt: true });
    case 'next':
      return choose(NAMES[seq % NAMES.length] ?? '');
    case 'retract':
      return retract({ seq });
    case 'leave':
    case 'abort':
      return undefined;
    default:
      return kind satisfies never;
  }
}

/** What a model that is asked says: JSON where it is asked for a choice, a ballot or a verdict. */
function saidBy({ form, agent: name }: GenerateRequest, number: number): string {
  if (!form) return `Answer ${number} of ${name}.`;
  const [first = ''] = form.options;
  if (form.kind === 'choice') return number % 9 === 8 ? '{"over": true}' : JSON.stringify({ agent: first });
  if (form.kind === 'ballot') {
    const choice = form.options[number % form.options.length];
    return JSON.stringify({ choice: form.takesSeveral ? [...form.options] : choice, why: 'so' });
  }
  const scores = form.options.map((each, index) => ({
    agent: each,
    criterion: 'clarity',
    score: 1 + ((index + number) % 9),
    why: 'so',
  }));
  return JSON.stringify({ scores, summary: 'so' });
}

function actsOf(kind: Call, request: GenerateRequest, number: number): readonly Act[] {
  switch (kind) {
    case 'answers':
      return [text(saidBy(request, number)), finish()];
    case 'nonsense':
      return [text(request.form ? 'I would rather not say.' : saidBy(request, number)), finish()];
    case 'fails':
      return [new ProviderError('server_error', 'no')];
    case 'fails late':
      return [text(VOID), new ProviderError('overloaded', 'no')];
    case 'refuses':
      return [new ProviderError('bad_request', 'no')];
    default:
      return kind satisfies never;
  }
}

const schedule = fc.record({
  policy,
  decision,
  when,
  calls: fc.array(call, { minLength: 1, maxLength: 20 }),
  hands: fc.uniqueArray(hand, { maxLength: 5, selector: ({ at }) => at }),
  person: fc.boolean(),
  approval: fc.constantFrom(undefined, undefined, 'every_turn' as const),
  maxTurns: fc.integer({ min: 1, max: 9 }),
});

/** The state before the end, and the end. */
function endOf(log: readonly ReturnType<typeof readEvent>[]) {
  const last = log.at(-1);
  if (last?.type !== 'conversation.terminated') throw new Error(`it ends with ${last?.type}`);
  const before: ConversationState | undefined = fold(undefined, log.slice(0, -1));
  if (!before) throw new Error('there is nothing before the end');
  return { ending: last, before };
}

type Given = typeof schedule extends fc.Arbitrary<infer Of> ? Of : never;

/** What somebody was shown that isn't for them: a whisper, what is void, another's answer of the round, a name. */
function wronglyShown(
  { policy: turnPolicy, hands }: Given,
  agents: ConversationSettings['agents'],
  turns: readonly Pick<Message, 'turn' | 'sender' | 'content'>[],
  requests: readonly GenerateRequest[],
): string[] {
  const isPanel = turnPolicy.type === 'panel';
  const size = agents.filter(({ speaks }) => speaks !== 'never').length;
  const isInRounds = isPanel && hands.every(({ kind }) => kind !== 'next');
  const roundOf = (turn: number): number => Math.floor((turn - 1) / size);
  return requests.flatMap(({ agent: name, messages, form, seed }) => {
    const shown = JSON.stringify(messages);
    const round = roundOf(Number(seed.split('.').at(-1)));
    const others = turns.filter(({ turn, sender }) => roundOf(turn) === round && sender !== name);
    const isHidden = isPanel && turnPolicy.anonymous && !form;
    const texts = [
      VOID,
      ...(name === 'Ada' ? [] : [WHISPER]),
      ...(isInRounds && !form ? others.map(({ content }) => content) : []),
    ];
    const names = isHidden ? NAMES.filter((other) => other !== name) : [];
    return [
      ...texts.filter((text) => shown.includes(text)),
      ...names.filter((other) => new RegExp(`\\b${other}\\b`).test(shown)),
    ];
  });
}

/** Whether the rule by which it ended holds in its log. */
function holdsFor(given: Given, { reason, detail, at }: TerminatedEvent, before: ConversationState): boolean {
  switch (reason) {
    case 'max_turns':
      return before.turns === given.maxTurns;
    case 'condition':
      return given.when !== undefined && whatHolds(given.when, before, new Date(at)) === detail;
    case 'completed':
      return given.policy.type === 'moderator' || isPlanOver(before);
    case 'consensus':
      return before.outcome?.type === 'consensus' && before.outcome.winner === 'agree';
    case 'repetition':
      return loopIn(before.loops) !== undefined;
    case 'provider_error':
      return given.calls.some((each) => each.startsWith('fails') || each === 'refuses');
    default:
      return false;
  }
}

/** What is decided behind the end. */
function outcomeExpected({ decision: decided }: Given, reason: string): RegExp {
  const isOver = ['max_turns', 'condition', 'completed', 'repetition'].includes(reason);
  if (isOver && decided?.type === 'judge') return /^verdict$/;
  if (isOver && decided?.type === 'vote' && decided.at === 'end') return /^vote$/;
  return /^(none|vote|consensus|verdict)$/;
}

it('DESIGN 1 to 6, 9.1 to 9.5, 10.8: whatever is asked, said, done and failing, the log keeps its rules', async () => {
  const reasons = new Set<string>();
  await fc.assert(
    fc.asyncProperty(schedule, async (given) => {
      const live = new LocalLive();
      const storage = asked(new MemoryStorage(live));
      const isDebate = given.policy.type === 'debate';
      const agents = [
        ...NAMES.map((name) => agent(name, { provider: 'scripted', model: 'a' })),
        ...(given.person ? [agent('Me', { provider: 'human', model: 'human' })] : []),
      ].map((each) => (isDebate && each.name === 'Me' ? { ...each, speaks: 'never' as const } : each));
      const made = conversation({
        settings: settings({
          agents,
          maxTurns: given.maxTurns,
          turnPolicy: given.policy,
          ...(given.decision && { decision: given.decision }),
          ...(given.approval && { approval: given.approval }),
          termination: { minTurns: 1, phrases: [], ...(given.when && { when: given.when }) },
        }),
        createdAt: new Date(),
      });
      await storage.create(made);
      const hands = { log: storage.backend, now: () => new Date() };
      const take = async (doing: Hand): Promise<void> => {
        await takeHand(hands, made.id, doing).catch((error: unknown) => {
          if (!(error instanceof AppError)) throw error;
        });
      };
      let drain = new Drain();
      const under: Promise<void>[] = [];
      const left = new Map(given.hands.map((each) => [each.at, each]));
      let callsMade = 0;
      const provider = new ScriptedProvider((request) => {
        const number = callsMade++;
        const due = left.get(number);
        left.delete(number);
        if (due) {
          const doing = handOf(due);
          if (doing) under.push(take(doing));
          else if (due.kind === 'leave') drain.leave();
          else drain.abort();
        }
        return actsOf(given.calls[number % given.calls.length] ?? 'answers', request, number);
      });
      const lanes = createLanes(() => ({ ...DEFAULT_LANE_SETTINGS, circuit: { failures: 50, openMs: 2 } }), {
        onChange: () => {},
      });
      const parts = orchestratorParts({
        log: storage.backend,
        live,
        bindModel: (id, name) => ({ provider, lane: lanes.lane(id, name), price: undefined }),
        retryDelayMs: (error, tries) => (error.retryable && tries < 4 ? 0 : undefined),
      });

      let rests = 0;
      for (; rests < 80; rests++) {
        drain = new Drain();
        await runConversation(parts, made.id, drain);
        await Promise.all(under.splice(0));
        const record = await storage.get(made.id);
        if (record?.status === 'terminated') break;
        const waits = record?.pause?.for;
        if (waits === 'user') await take(resume);
        if (waits === 'human') await take(say({ content: `I say ${rests}.`, sender: 'Me' }));
        if (waits === 'approval') {
          const decided = (['approve', 'reject', 'approve', 'edit'] as const)[rests % 4] ?? 'approve';
          await take(approve({ decision: decided, content: `Edited ${rests}.`, detail: 'rather not' }));
        }
      }
      expect(rests).toBeLessThan(80);

      const log = (await readLog(storage, made.id)).map(({ json }) => readEvent(json));
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      const messages = log.flatMap((event) => (event.type === 'message' ? [event.message] : []));
      const turns = messages.filter((message) => isTurn(message, agents));
      expect(turns.map(({ turn }) => turn)).toEqual(turns.map((_, index) => index + 1));
      const proposals = log.filter(({ type }) => type === 'turn.proposed');
      expect(JSON.stringify(log.filter((event) => !proposals.includes(event)))).not.toContain(VOID);
      expect(log.filter(({ type }) => type === 'conversation.terminated')).toHaveLength(1);
      expect(log.filter(({ type }) => type === 'conversation.closing').length).toBeLessThanOrEqual(1);
      expect(log.filter(({ type }) => type === 'verdict.given').length).toBeLessThanOrEqual(1);
      const voted = new Set<string>();
      for (const event of log) {
        if (event.type === 'vote.closed') voted.clear();
        if (event.type !== 'ballot.cast') continue;
        expect([...voted]).not.toContain(event.agent);
        voted.add(event.agent);
      }
      const record = await storage.get(made.id);
      const whole = fold(undefined, log);
      expect(whole).toMatchObject({ turns: record?.turns, usage: record?.usage, status: record?.status });
      expect(record?.turns).toBe(turns.length);
      expect(turns.length).toBeLessThanOrEqual(given.maxTurns);
      await vi.waitFor(() => expect(provider.open).toBe(0));

      expect(wronglyShown(given, agents, turns, provider.requests)).toEqual([]);
      const { ending, before } = endOf(log);
      reasons.add(ending.reason);
      expect(holdsFor(given, ending, before)).toBe(true);
      expect(record?.outcome?.type ?? 'none').toMatch(outcomeExpected(given, ending.reason));
    }),
    { numRuns: Number(process.env['AIC_RUNS'] ?? 300) },
  );
  // Or the schedules would show little.
  expect(reasons).toContain('provider_error');
  expect(reasons.size).toBeGreaterThanOrEqual(5);
});
