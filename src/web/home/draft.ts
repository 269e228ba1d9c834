import type { ConversationRequest } from '../../client/types.ts';
import { start } from '../text/start-texts.ts';
import { DECISION, ENDS, type Parameter, POLICY, RUNNING } from './parameters.ts';
import { number, type Reader, whole } from './readers.ts';

/** A new talk as it is typed: all of it text, until it is checked. */
export interface Draft {
  topic: string;
  scenario: string;
  agents: readonly AgentDraft[];
  openingMessage: string;
  policy: string;
  decision: string;
  /** Of what else can be set, by its path. */
  values: Readonly<Record<string, string>>;
}

export interface AgentDraft {
  key: number;
  provider: string;
  model: string;
  name: string;
  instructions: string;
  temperature: string;
  maxOutputTokens: string;
  speaks: string;
}

export const EMPTY_DRAFT: Draft = {
  topic: '',
  scenario: '',
  agents: [],
  openingMessage: '',
  policy: '',
  decision: '',
  values: {},
};

/** What is wrong, by the field's path as the server names it. */
export type Faults = Readonly<Record<string, string>>;

const NUMBERS: Record<'temperature' | 'maxOutputTokens', Reader> = {
  temperature: number(0, 2),
  maxOutputTokens: whole(1, 32_000),
};

const JUDGED_BY = [
  { name: 'Argument', description: 'Are the reasons sound, and do they carry the claim?', weight: 2 },
  { name: 'Response', description: 'Is what the others said taken up and answered?' },
  { name: 'Clarity', description: 'Can somebody who knows nothing of it follow?' },
];

/** What of a draft is set and counts, with its text. */
function setIn({ policy, decision, values }: Draft): [Parameter, string][] {
  return [...(POLICY[policy] ?? []), ...(DECISION[decision] ?? []), ...ENDS, ...RUNNING].flatMap(
    (parameter) => {
      const text = values[parameter.path]?.trim() ?? '';
      return text === '' ? [] : [[parameter, text] satisfies [Parameter, string]];
    },
  );
}

/** All agents' names; none where one of them gets its name from the server. */
function namesIn({ agents }: Draft): string[] {
  const names = agents.map(({ name }) => name.trim());
  return names.includes('') ? [] : names;
}

/** Checked as it is typed; what only the server knows, it says itself. */
export function faultsOf(draft: Draft): Faults {
  const faults: Record<string, string> = {};
  const { topic, scenario, agents, policy, values } = draft;
  const names = namesIn(draft);
  const atMost = (path: string, value: string, most: number): void => {
    if ([...value].length > most) faults[path] = start.tooLong(most);
  };
  atMost('topic', topic, 2000);
  for (const [{ path, read }, text] of setIn(draft)) {
    const known = read(text, names);
    if ('fault' in known) faults[path] = known.fault;
  }
  const isOpen = (path: string): boolean => (values[path] ?? '').trim() === '' && scenario === '';
  if (policy === 'weighted' && isOpen('turnPolicy.weights'))
    faults['turnPolicy.weights'] = start.weightsNeeded;
  if (policy === 'debate' && isOpen('turnPolicy.sides') && names.length < 2) {
    faults['turnPolicy.sides'] = start.sidesNeeded;
  }
  if (agents.length === 1 && scenario === '') faults['agents'] = start.twoAgents;
  for (const [index, agent] of agents.entries()) {
    const name = agent.name.trim();
    const isTwice = agents.some((other, at) => at !== index && name !== '' && other.name.trim() === name);
    atMost(`agents.${index}.name`, name, 64);
    atMost(`agents.${index}.instructions`, agent.instructions, 20_000);
    for (const field of ['temperature', 'maxOutputTokens'] as const) {
      const known = agent[field].trim() === '' ? undefined : NUMBERS[field](agent[field].trim(), names);
      if (known && 'fault' in known) faults[`agents.${index}.${field}`] = known.fault;
    }
    if (isTwice) faults[`agents.${index}.name`] = start.nameTwice;
    if (name === 'Moderator') faults[`agents.${index}.name`] = start.nameTaken;
  }
  return faults;
}

/** The request for a draft without faults: what was left open is left out. */
export function requestOf(draft: Draft): ConversationRequest {
  const request: Tree = { topic: draft.topic.trim() };
  const names = namesIn(draft);
  if (draft.scenario !== '') put(request, 'scenario', draft.scenario);
  if (draft.agents.length > 0) put(request, 'agents', draft.agents.map(agentOf));
  if (draft.openingMessage.trim() !== '') put(request, 'openingMessage', draft.openingMessage);
  for (const [path, value] of givensOf(draft, names)) put(request, path, value);
  for (const [{ path, read }, text] of setIn(draft)) {
    const known = read(text, names);
    if ('value' in known) put(request, path, known.value);
  }
  // What it is made of was checked, and the server checks it all.
  return request as unknown as ConversationRequest;
}

interface Tree {
  [name: string]: unknown;
}

/** @param path dotted; what is on the way there is made */
function put(tree: Tree, path: string, value: unknown): void {
  const [name = '', ...rest] = path.split('.');
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const inner = { ...(tree[name] as Tree | undefined) };
  put(inner, rest.join('.'), value);
  tree[name] = inner;
}

function agentOf(agent: AgentDraft): Tree {
  const { provider, instructions, speaks } = agent;
  const of: Tree = {};
  if (provider !== '') of['provider'] = provider;
  if (agent.name.trim() !== '') of['name'] = agent.name.trim();
  if (speaks !== '') of['speaks'] = speaks;
  if (provider === 'human') return of;
  if (agent.model.trim() !== '') of['model'] = agent.model.trim();
  if (instructions.trim() !== '') of['instructions'] = instructions;
  for (const field of ['temperature', 'maxOutputTokens'] as const) {
    const known = agent[field].trim() === '' ? undefined : NUMBERS[field](agent[field].trim(), []);
    if (known && 'value' in known) of[field] = known.value;
  }
  return of;
}

/** What a policy and a decision need, as far as nobody says otherwise. */
function givensOf(draft: Draft, names: readonly string[]): [string, unknown][] {
  const { policy, decision, agents } = draft;
  // Who is no participant is played by whoever the first agent is.
  const provider = agents.find((agent) => agent.provider !== '' && agent.provider !== 'human')?.provider;
  const outsider = provider === undefined ? {} : { provider };
  const half = Math.ceil(names.length / 2);
  const givens: Record<string, [string, unknown][]> = {
    moderator: [['turnPolicy.moderator', outsider]],
    debate: half > 0 ? [['turnPolicy.sides', [names.slice(0, half), names.slice(half)]]] : [],
    vote: [['decision.method', 'plurality']],
    judge: [
      ['decision.judge', outsider],
      ['decision.rubric', JUDGED_BY],
    ],
  };
  return [
    ...(policy === '' ? [] : [['turnPolicy.type', policy] satisfies [string, unknown]]),
    ...(decision === '' ? [] : [['decision.type', decision] satisfies [string, unknown]]),
    ...(givens[policy] ?? []),
    ...(givens[decision] ?? []),
  ];
}
