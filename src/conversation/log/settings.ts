import { type Fault, invalid } from '../../errors.ts';
import type { AgentRequest } from '../../protocol/creation.ts';
import type { AgentSettings, ConversationSettings, ModelChoice } from '../../protocol/settings.ts';
import type { FilledAgent, FilledRequest } from '../scenarios/apply.ts';
import type { RosterEntry } from './roster.ts';
import { faultsOfVoices } from './voice-settings.ts';

export type { AgentRequest, ConversationRequest } from '../../protocol/creation.ts';
export type { AgentSettings, ConversationSettings, Decision, ModelChoice } from '../../protocol/settings.ts';
export type { RosterEntry } from './roster.ts';

/** Who opens a conversation; no agent may take this name. */
export const MODERATOR = 'Moderator';
/** The name of people who give none. */
export const HUMAN = 'Human';

export interface SettingsDefaults {
  maxTurns: number;
  timeoutSeconds: number;
  contextMessages: number;
  temperature: number;
  maxOutputTokens: number;
  similarity: { threshold: number; consecutive: number };
}

export type Resolution =
  | { settings: ConversationSettings }
  | { notConfigured: { path: string; provider: string; hint: string } };

/**
 * Fills in the defaults of a request (docs/protocol.md, section 2.1).
 *
 * @throws AppError `validation_failed` where agents are unknown, share a name, or have no model.
 */
export function resolveSettings(
  request: FilledRequest,
  roster: readonly RosterEntry[],
  defaults: SettingsDefaults,
): Resolution {
  const requested = request.agents ?? defaultAgents(roster);
  const faults: Fault[] = [];
  const withoutModel = new Map<string, number>();
  const resolve = (agent: FilledAgent, path: string): Played => {
    const chosen = choose(agent, path, withoutModel, roster, faults);
    const fallbacks = agent.fallbacks?.map((choice, place) =>
      choose(choice, `${path}.fallbacks.${place}`, new Map(), roster, faults),
    );
    faults.push(...faultsOfPeople(path, chosen, fallbacks));
    return { agent, chosen, fallbacks };
  };
  const agents = requested.map((agent, index) => resolve(agent, `agents.${index}`));
  const { turnPolicy, decision } = request;
  const outsider = (agent: AgentRequest, path: string): Played => {
    const played = resolve(agent as FilledAgent, path);
    if (played.chosen?.entry.person) faults.push({ path: `${path}.provider`, message: 'is a person' });
    return played;
  };
  const moderator =
    turnPolicy?.type === 'moderator' ? outsider(turnPolicy.moderator, 'turnPolicy.moderator') : undefined;
  const judge = decision?.type === 'judge' ? outsider(decision.judge, 'decision.judge') : undefined;
  const outsiders = [moderator, judge].filter((played) => played !== undefined);

  const names = nameAgents(
    agents.map(({ agent, chosen }) => ({
      given: agent.name,
      fallback: chosen?.entry.displayName(chosen.model) ?? '',
    })),
    faults,
  );
  faults.push(...faultsOfVoices(request, names));
  if (faults.length > 0) throw invalid(faults);

  for (const chosen of [...agents, ...outsiders].flatMap(({ chosen, fallbacks = [] }) => [
    chosen,
    ...fallbacks,
  ])) {
    if (chosen && !chosen.entry.configured) {
      const { id, hint } = chosen.entry;
      return { notConfigured: { path: `${chosen.path}.provider`, provider: id, hint } };
    }
  }

  const { phrases, minTurns, similarity, maxTotalTokens, maxCostUsd, when } = request.termination ?? {};
  // What is undefined is left out where this becomes JSON, which is all that the log and clients get of it.
  const settings: ConversationSettings = {
    topic: request.topic,
    agents: agents.map((played, index) => agentSettings(played, names[index] ?? '', defaults)),
    openingMessage: request.openingMessage ?? request.topic,
    maxTurns: request.maxTurns ?? defaults.maxTurns,
    timeoutSeconds: request.timeoutSeconds ?? defaults.timeoutSeconds,
    contextMessages: request.contextMessages ?? defaults.contextMessages,
    turnDelayMs: request.turnDelayMs ?? undefined,
    onCircuitOpen: request.onCircuitOpen,
    approval: request.approval ?? undefined,
    guard: guardOf(request.guard ?? {}),
    scenario: request.scenario ?? undefined,
    turnPolicy:
      turnPolicy?.type === 'moderator' && moderator
        ? { ...turnPolicy, moderator: outsiderSettings(moderator, defaults) }
        : ((turnPolicy ?? undefined) as ConversationSettings['turnPolicy']),
    decision:
      decision?.type === 'judge' && judge
        ? { ...decision, judge: outsiderSettings(judge, defaults) }
        : ((decision ?? undefined) as ConversationSettings['decision']),
    termination: {
      phrases: phrases ?? ['[done]'],
      minTurns: minTurns ?? 2,
      similarity: {
        threshold: similarity?.threshold ?? defaults.similarity.threshold,
        consecutive: similarity?.consecutive ?? defaults.similarity.consecutive,
        nudge: similarity?.nudge,
      },
      maxTotalTokens,
      maxCostUsd,
      when: when ?? undefined,
    },
    knowledge: request.knowledge ?? undefined,
    metadata: request.metadata ?? {},
  };
  return { settings };
}

/** What is said and not null; undefined where nothing is. */
function guardOf(given: NonNullable<FilledRequest['guard']>): ConversationSettings['guard'] {
  const said = Object.entries(given).filter(([, mode]) => mode);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

interface Played {
  agent: AgentRequest;
  chosen: Chosen | undefined;
  fallbacks: (Chosen | undefined)[] | undefined;
}

function agentSettings(
  { agent, chosen, fallbacks }: Played,
  name: string,
  defaults: Pick<SettingsDefaults, 'temperature' | 'maxOutputTokens'>,
): AgentSettings {
  return {
    name,
    provider: chosen?.entry.id ?? '',
    model: chosen?.model ?? '',
    fallbacks: fallbacks?.flatMap((chosen) => (chosen ? [toModelChoice(chosen)] : [])),
    instructions: agent.instructions,
    temperature: agent.temperature ?? defaults.temperature,
    maxOutputTokens: agent.maxOutputTokens ?? defaults.maxOutputTokens,
    speaks: agent.speaks ?? undefined,
    knowledge: agent.knowledge ?? undefined,
  };
}

/** A moderator's or a judge's: it is to be steady, and its answer may be long. */
function outsiderSettings(played: Played, defaults: SettingsDefaults): AgentSettings {
  const name = played.agent.name ?? played.chosen?.entry.displayName(played.chosen.model) ?? '';
  const maxOutputTokens = Math.max(defaults.maxOutputTokens, LONGEST_ANSWER);
  return agentSettings(played, name, { temperature: 0, maxOutputTokens });
}

const LONGEST_ANSWER = 4096;

/** A person can't be taken the place of, and takes nobody's. */
function faultsOfPeople(
  path: string,
  chosen: Chosen | undefined,
  fallbacks: readonly (Chosen | undefined)[] = [],
): Fault[] {
  if (chosen?.entry.person && fallbacks.length > 0) {
    return [{ path: `${path}.fallbacks`, message: 'is not for an agent that is a person' }];
  }
  return fallbacks.flatMap((fallback) =>
    fallback?.entry.person
      ? [{ path: `${fallback.path}.provider`, message: 'is a person, who takes no place' }]
      : [],
  );
}

interface Chosen {
  path: string;
  entry: RosterEntry;
  model: string;
}

/**
 * The provider and the model that a request means; undefined, with a fault, where there is no such provider.
 *
 * @param withoutModel how many agents of each provider named no model before, so that they take turns
 */
function choose(
  { provider, model: given }: { provider: string; model?: string | undefined },
  path: string,
  withoutModel: Map<string, number>,
  roster: readonly RosterEntry[],
  faults: Fault[],
): Chosen | undefined {
  const entry = roster.find(({ id }) => id === provider);
  if (!entry) {
    const known = roster.map(({ id }) => id).join(', ');
    faults.push({ path: `${path}.provider`, message: `is none of ${known}` });
    return undefined;
  }
  let model = given;
  if (model === undefined) {
    const earlier = withoutModel.get(entry.id) ?? 0;
    withoutModel.set(entry.id, earlier + 1);
    model = entry.defaultModels[earlier % entry.defaultModels.length];
  } else if (entry.models && !entry.models.includes(model)) {
    faults.push({ path: `${path}.model`, message: `is none of ${entry.models.join(', ')}` });
  }
  if (entry.person) {
    if (given !== undefined)
      faults.push({ path: `${path}.model`, message: 'is played by a person, without a model' });
  } else if (model === undefined && entry.configured) {
    faults.push({ path: `${path}.model`, message: `is needed, because ${entry.id} has no default model` });
  }
  return { path, entry, model: model ?? '' };
}

function toModelChoice({ entry, model }: Chosen): ModelChoice {
  return { provider: entry.id, model };
}

/** The first two configured vendors; one alone talks with itself; none: the embedded pair. */
function defaultAgents(roster: readonly RosterEntry[]): FilledAgent[] {
  const vendors = roster.filter(
    ({ configured, embedded, remote, defaultModels }) =>
      configured && !embedded && !remote && defaultModels.length > 0,
  );
  const [first, second = first] = vendors.length > 0 ? vendors : roster.filter(({ embedded }) => embedded);
  return [first, second].flatMap((entry) => (entry ? [{ provider: entry.id }] : []));
}

/** Given names stay as they are; names by default are numbered until they are unique (`Claude 2`). */
function nameAgents(wishes: { given: string | undefined; fallback: string }[], faults: Fault[]): string[] {
  const taken = new Set<string>([MODERATOR]);
  for (const [index, { given }] of wishes.entries()) {
    if (given === undefined) continue;
    if (taken.has(given)) {
      const message = given === MODERATOR ? 'is the name of the moderator' : 'is the name of another agent';
      faults.push({ path: `agents.${index}.name`, message });
    }
    taken.add(given);
  }
  return wishes.map(({ given, fallback }) => {
    if (given !== undefined) return given;
    let name = fallback;
    for (let number = 2; taken.has(name); number++) name = `${fallback} ${number}`;
    taken.add(name);
    return name;
  });
}
