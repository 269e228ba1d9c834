import type { ConversationRequest } from '../../client/types.ts';
import { texts } from '../text/texts.ts';

/** A new talk as it is typed: all of it text, until it is checked. */
export interface Draft {
  topic: string;
  scenario: string;
  agents: AgentDraft[];
  openingMessage: string;
  policy: string;
  decision: string;
  options: string;
  maxTurns: string;
  minutes: string;
  phrases: string;
  maxTokens: string;
  maxCost: string;
  approval: boolean;
}

export interface AgentDraft {
  key: number;
  provider: string;
  model: string;
  name: string;
  instructions: string;
}

export const EMPTY_DRAFT: Draft = {
  topic: '',
  scenario: '',
  agents: [],
  openingMessage: '',
  policy: '',
  decision: '',
  options: '',
  maxTurns: '',
  minutes: '',
  phrases: '',
  maxTokens: '',
  maxCost: '',
  approval: false,
};

/** What is wrong, by the field's path as the server names it. */
export type Faults = Readonly<Record<string, string>>;

const JUDGED_BY = [
  { name: 'Argument', description: 'Are the reasons sound, and do they carry the claim?', weight: 2 },
  { name: 'Response', description: 'Is what the others said taken up and answered?' },
  { name: 'Clarity', description: 'Can somebody who knows nothing of it follow?' },
];

/** Checked as it is typed; what only the server knows, it says itself. */
export function faultsOf(draft: Draft): Faults {
  const faults: Record<string, string> = {};
  const whole = (path: string, value: string, most: number): void => {
    if (value !== '' && !(/^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= most)) {
      faults[path] = texts.start.wholeNumber(1, most);
    }
  };
  const atMost = (path: string, value: string, most: number): void => {
    if ([...value].length > most) faults[path] = texts.start.tooLong(most);
  };
  atMost('topic', draft.topic, 2000);
  whole('maxTurns', draft.maxTurns, 10_000);
  whole('timeoutSeconds', draft.minutes, 1440);
  whole('termination.maxTotalTokens', draft.maxTokens, Number.MAX_SAFE_INTEGER);
  if (draft.maxCost !== '' && !(Number(draft.maxCost) > 0))
    faults['termination.maxCostUsd'] = texts.start.decimal;
  if (draft.agents.length === 1 && draft.scenario === '') faults['agents'] = texts.start.twoAgents;
  if (draft.decision === 'options' && new Set(linesOf(draft.options)).size < 2) {
    faults['decision.options'] = texts.start.twoOptions;
  }
  for (const [index, { name, instructions }] of draft.agents.entries()) {
    const isTwice = draft.agents.some(
      (other, at) => at !== index && name !== '' && other.name.trim() === name.trim(),
    );
    atMost(`agents.${index}.name`, name, 64);
    atMost(`agents.${index}.instructions`, instructions, 20_000);
    if (isTwice) faults[`agents.${index}.name`] = texts.start.nameTwice;
    if (name.trim() === 'Moderator') faults[`agents.${index}.name`] = texts.start.nameTaken;
  }
  return faults;
}

/** The request for a draft without faults: what was left open is left out. */
export function requestOf(draft: Draft): ConversationRequest {
  const agents = draft.agents.map(({ provider, model, name, instructions }) => ({
    ...(provider === '' ? {} : { provider }),
    ...(model.trim() === '' ? {} : { model: model.trim() }),
    ...(name.trim() === '' ? {} : { name: name.trim() }),
    ...(instructions.trim() === '' ? {} : { instructions }),
  }));
  const phrases = linesOf(draft.phrases);
  const termination = {
    ...(phrases.length > 0 ? { phrases } : {}),
    ...(draft.maxTokens === '' ? {} : { maxTotalTokens: Number(draft.maxTokens) }),
    ...(draft.maxCost === '' ? {} : { maxCostUsd: Number(draft.maxCost) }),
  };
  const turnPolicy = policyOf(draft);
  const decision = decisionOf(draft);
  return {
    topic: draft.topic.trim(),
    ...(draft.scenario === '' ? {} : { scenario: draft.scenario }),
    ...(agents.length > 0 ? { agents } : {}),
    ...(draft.openingMessage.trim() === '' ? {} : { openingMessage: draft.openingMessage }),
    ...(turnPolicy ? { turnPolicy } : {}),
    ...(decision ? { decision } : {}),
    ...(draft.maxTurns === '' ? {} : { maxTurns: Number(draft.maxTurns) }),
    ...(draft.minutes === '' ? {} : { timeoutSeconds: Number(draft.minutes) * 60 }),
    ...(Object.keys(termination).length > 0 ? { termination } : {}),
    ...(draft.approval ? { approval: 'every_turn' } : {}),
  };
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** Who is no participant: played by whoever the first agent is. */
function outsider({ agents }: Draft): { provider?: string } {
  const provider = agents.find((agent) => agent.provider !== '' && agent.provider !== 'human')?.provider;
  return provider === undefined ? {} : { provider };
}

function policyOf(draft: Draft): ConversationRequest['turnPolicy'] {
  switch (draft.policy) {
    case 'round_robin':
    case 'random':
    case 'mention':
      return { type: draft.policy };
    case 'moderator':
      return { type: 'moderator', moderator: outsider(draft) };
    case 'panel':
      return { type: 'panel', rounds: 3 };
    case 'debate': {
      const names = draft.agents.map(({ name }) => name.trim());
      const half = Math.ceil(names.length / 2);
      return { type: 'debate', sides: [names.slice(0, half), names.slice(half)] };
    }
    default:
      return undefined;
  }
}

function decisionOf(draft: Draft): ConversationRequest['decision'] {
  switch (draft.decision) {
    case 'vote':
      return { type: 'vote', method: 'plurality' };
    case 'options':
      return { type: 'vote', method: 'plurality', options: linesOf(draft.options) };
    case 'consensus':
      return { type: 'consensus' };
    case 'judge':
      return { type: 'judge', judge: outsider(draft), rubric: JUDGED_BY };
    default:
      return undefined;
  }
}
