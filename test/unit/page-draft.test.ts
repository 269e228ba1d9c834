import { describe, expect, it } from 'vitest';
import { creationRequest } from '../../src/protocol/creation.ts';
import { worstCaseOf } from '../../src/web/home/cost.ts';
import { type AgentDraft, type Draft, EMPTY_DRAFT, faultsOf, requestOf } from '../../src/web/home/draft.ts';
import { DECISION, ENDS, POLICY, RUNNING } from '../../src/web/home/parameters.ts';

const [ada, ben] = ['Ada', 'Ben'].map((name, key): AgentDraft => {
  const open = { model: '', instructions: '', temperature: '', maxOutputTokens: '', speaks: '' };
  return { key, provider: 'local', name, ...open };
});
const REQUEST = creationRequest(10_000);
const NAMED: Draft = {
  ...EMPTY_DRAFT,
  topic: 'Tea',
  agents: [ada, ben].filter((agent) => agent !== undefined),
};

/** What each field may take, and what the request has for it. */
const TAKEN: Record<string, [string, unknown]> = {
  'turnPolicy.seed': ['soup', 'soup'],
  'turnPolicy.repeats': ['yes', true],
  'turnPolicy.weights': ['Ada: 2\n\nBen: 0.5', { Ada: 2, Ben: 0.5 }],
  'turnPolicy.otherwise': ['random', 'random'],
  'turnPolicy.moderator.provider': ['embedded', 'embedded'],
  'turnPolicy.moderator.model': ['eliza', 'eliza'],
  'turnPolicy.moderator.instructions': ['Be fair.', 'Be fair.'],
  'turnPolicy.tries': ['2', 2],
  'turnPolicy.sides': ['Ben\nAda', [['Ben'], ['Ada']]],
  'turnPolicy.rounds': ['4', 4],
  'turnPolicy.anonymous': ['yes', true],
  'decision.question': ['Which is warm?', 'Which is warm?'],
  'decision.method': ['ranked', 'ranked'],
  'decision.options': ['Tea\nSoup', ['Tea', 'Soup']],
  'decision.quorum': ['0,75', 0.75],
  'decision.at': ['3', { everyRounds: 3 }],
  'decision.anonymous': ['no', false],
  'decision.share': ['0.5', 0.5],
  'decision.everyRounds': ['2', 2],
  'decision.judge.provider': ['embedded', 'embedded'],
  'decision.judge.model': ['parry', 'parry'],
  'decision.judge.instructions': ['Be strict.', 'Be strict.'],
  'decision.rubric': [
    'Clarity (2): Is it clear?\nWit: Is it funny?',
    [
      { name: 'Clarity', description: 'Is it clear?', weight: 2 },
      { name: 'Wit', description: 'Is it funny?' },
    ],
  ],
  'decision.scale': ['0 to 5', [0, 5]],
  'decision.bothOrders': ['no', false],
  maxTurns: ['12', 12],
  timeoutSeconds: ['1.5', 90],
  'termination.maxTotalTokens': ['5000', 5000],
  'termination.maxCostUsd': ['0.5', 0.5],
  'termination.minTurns': ['0', 0],
  'termination.similarity.threshold': ['0.9', 0.9],
  'termination.similarity.consecutive': ['3', 3],
  'termination.similarity.nudge': ['no', false],
  'termination.phrases': ['agreed\nover', ['agreed', 'over']],
  'termination.when': [
    '{ "any": [{ "rounds": 3 }, { "not": { "said": "no", "by": "Ada" } }, { "spoke": "Ben", "times": 2 }] }',
    { any: [{ rounds: 3 }, { not: { said: 'no', by: 'Ada' } }, { spoke: 'Ben', times: 2 }] },
  ],
  contextMessages: ['20', 20],
  turnDelayMs: ['1.5', 1500],
  approval: ['flagged', 'flagged'],
  onCircuitOpen: ['end', 'end'],
  knowledge: ['papers, minutes_2', [{ collection: 'papers' }, { collection: 'minutes_2' }]],
};

const REFUSED: [string, string, string][] = [
  ['weighted', 'turnPolicy.weights', 'Ada: none'],
  ['weighted', 'turnPolicy.weights', 'Cleo: 2'],
  ['weighted', 'turnPolicy.weights', ''],
  ['debate', 'turnPolicy.sides', 'Ada, Ben'],
  ['debate', 'turnPolicy.sides', 'Ada\nBen, Ada'],
  ['debate', 'turnPolicy.rounds', '101'],
  ['panel', 'turnPolicy.rounds', '0'],
  ['moderator', 'turnPolicy.tries', '11'],
  ['vote', 'decision.options', 'Tea\nTea'],
  ['vote', 'decision.quorum', '1.1'],
  ['vote', 'decision.at', '0.5'],
  ['consensus', 'decision.share', '0'],
  ['judge', 'decision.rubric', 'Clarity'],
  ['judge', 'decision.scale', '5 to 1'],
  ['', 'maxTurns', '10001'],
  ['', 'timeoutSeconds', 'soon'],
  ['', 'termination.maxCostUsd', '-1'],
  ['', 'termination.similarity.threshold', '1.5'],
  ['', 'termination.when', '{ "rounds": 0 }'],
  ['', 'termination.when', '{ "said": "a", "times": 2 }'],
  ['', 'termination.when', '{ "any": [] }'],
  ['', 'termination.when', `${'{ "not": '.repeat(8)}{ "turns": 1 }${' }'.repeat(8)}`],
  ['', 'termination.when', 'at noon'],
  ['', 'turnDelayMs', '61'],
  ['', 'knowledge', 'Papers'],
];

function draftWith(kind: string, values: Record<string, string>): Draft {
  return { ...NAMED, values, policy: kind in POLICY ? kind : '', decision: kind in DECISION ? kind : '' };
}

function at(request: unknown, path: string): unknown {
  return path.split('.').reduce((value: unknown, name) => (value as Record<string, unknown>)[name], request);
}

describe('14 the form for a new talk', () => {
  const kinds = [...Object.entries({ ...POLICY, ...DECISION }), ['', [...ENDS, ...RUNNING]] as const];

  it.each(kinds)('2.1, 9: has all of "%s", as the server takes it', (kind, parameters) => {
    const values = Object.fromEntries(parameters.map(({ path }) => [path, TAKEN[path]?.[0] ?? '']));
    const draft = draftWith(kind, values);
    expect(faultsOf(draft)).toEqual({});
    const request = requestOf(draft);
    for (const { path } of parameters)
      expect({ path, value: at(request, path) }).toEqual({ path, value: TAKEN[path]?.[1] });
    expect(REQUEST.parse(request)).toMatchObject(request);
  });

  it.each(kinds)('2.1, 9: asks for nothing more of "%s" where the rest is left open', (kind) => {
    const draft =
      kind === 'weighted' ? draftWith(kind, { 'turnPolicy.weights': 'Ada: 1' }) : draftWith(kind, {});
    expect(faultsOf(draft)).toEqual({});
    expect(REQUEST.safeParse(requestOf(draft)).error).toBeUndefined();
  });

  it.each(REFUSED)('says what is wrong as it is typed: %s %s %j', (kind, path, text) => {
    expect(Object.keys(faultsOf(draftWith(kind, { [path]: text })))).toEqual([path]);
  });

  it('has no more to set than the server takes, and no less', () => {
    const known = kinds.flatMap(([, parameters]) => parameters.map(({ path }) => path));
    expect(new Set(known)).toEqual(new Set(Object.keys(TAKEN)));
  });

  it('checks names: none twice, none that is the platform’s, none that nobody has', () => {
    const named = (name: string): Draft => ({
      ...NAMED,
      agents: NAMED.agents.map((agent) => ({ ...agent, name })),
    });
    expect(Object.keys(faultsOf(named('Ada')))).toEqual(['agents.0.name', 'agents.1.name']);
    expect(Object.keys(faultsOf(named('Moderator')))).toEqual(['agents.0.name', 'agents.1.name']);
    const agents = NAMED.agents.map((agent) => ({ ...agent, temperature: '3', maxOutputTokens: '0' }));
    expect(Object.keys(faultsOf({ ...NAMED, agents }))).toHaveLength(4);
    expect(Object.keys(faultsOf({ ...draftWith('debate', {}), agents: [] }))).toEqual(['turnPolicy.sides']);
    expect(faultsOf({ ...draftWith('debate', {}), agents: [], scenario: 'debate' })).toEqual({});
  });

  it('says what a talk costs at worst', () => {
    const prices = { small: { input: 1, output: 2 }, large: { input: 10, output: 20 } };
    const local = {
      id: 'local',
      configured: true,
      defaultModel: 'small',
      circuit: 'closed' as const,
      prices,
    };
    const cost = (draft: Draft) => worstCaseOf(draft, [local]);
    const values = { maxTurns: '10', contextMessages: '2' };
    const draft = { ...NAMED, values };
    // Ten turns of 1,024 tokens behind prompts of 400 and two messages.
    const turn = (400 + 2 * 1024 + 2 * 1024) / 1e6;
    expect(cost(draft)).toBeCloseTo(10 * turn, 9);
    expect(cost({ ...draft, policy: 'moderator' })).toBeCloseTo(10 * turn + 11 * 3 * turn, 9);
    // Five rounds, two ballots each time, each asked for twice.
    expect(cost({ ...draft, decision: 'consensus' })).toBeCloseTo(10 * turn + 5 * 2 * 2 * turn, 9);
    expect(cost({ ...draft, decision: 'vote' })).toBeCloseTo(10 * turn + 2 * 2 * turn, 9);
    const judged = (400 + 10 * 1024 + 2 * 1024) / 1e6;
    expect(cost({ ...draft, decision: 'judge' })).toBeCloseTo(10 * turn + 4 * judged, 9);
    const dearer = NAMED.agents.map((agent, index) => ({ ...agent, model: index === 0 ? 'large' : 'small' }));
    expect(cost({ ...draft, agents: dearer })).toBeCloseTo(100 * turn, 9);
    expect(cost({ ...draft, agents: dearer, values: { ...values, 'termination.maxCostUsd': '0.01' } })).toBe(
      0.01,
    );
    expect(cost({ ...draft, agents: dearer.map((agent) => ({ ...agent, model: 'unheard of' })) })).toBe(
      'unknown',
    );
    expect(cost({ ...draft, agents: [] })).toBeUndefined();
  });
});
