import { type Fault, invalid } from '../../errors.ts';
import type { AgentRequest, ConversationRequest } from '../../protocol/creation.ts';
import type { ScenarioSettings } from '../../protocol/scenarios.ts';
import type { RosterEntry } from '../log/roster.ts';

/** A request whose every field is said or left out, and whose agents have their providers. */
export type FilledRequest = Omit<
  { [Field in keyof ConversationRequest]: Exclude<ConversationRequest[Field], null> },
  'agents'
> & { agents?: FilledAgent[] | undefined };

export type FilledAgent = AgentRequest & { provider: string };

/**
 * Fills in what a request leaves out from its scenario: objects field by field, agents by position. Whatever the
 * request says as null is taken out again (9.6).
 *
 * @param scenario undefined where the request names none
 * @throws AppError `validation_failed` where the request has null for what it may leave out, without a scenario
 */
export function filledIn(
  request: ConversationRequest,
  scenario: ScenarioSettings | undefined,
  roster: readonly RosterEntry[],
): FilledRequest {
  if (!scenario) {
    assertNoNull(request);
    return withProviders(request, undefined);
  }
  const { agents: base, ...rest } = scenario;
  const { agents: own, ...said } = request;
  const agents = own === null ? undefined : agentsOf(base ?? [], own ?? []);
  const renamed = renamer(base ?? [], agents ?? []);
  const merged = merge(renamed(rest), said) as Record<string, unknown>;
  return withProviders({ ...merged, agents: agents?.length ? agents : undefined }, vendorsOf(roster));
}

/** What version 1 began with takes no null. */
const OLD_FIELDS = [
  'agents',
  'openingMessage',
  'maxTurns',
  'timeoutSeconds',
  'contextMessages',
  'onCircuitOpen',
  'termination',
  'metadata',
] as const;

function assertNoNull(request: ConversationRequest): void {
  const faults = OLD_FIELDS.flatMap((path): Fault[] =>
    request[path] === null
      ? [{ path, message: 'is null, which takes something out of a scenario alone' }]
      : [],
  );
  if (faults.length > 0) throw invalid(faults);
}

function agentsOf(
  base: readonly Partial<AgentRequest>[],
  own: readonly Partial<AgentRequest>[],
): Partial<AgentRequest>[] {
  const count = Math.max(base.length, own.length);
  return Array.from(
    { length: count },
    (_, index) => merge(base[index] ?? {}, own[index] ?? {}) as AgentRequest,
  );
}

/** One on top of another; what is null goes, and what is undefined changes nothing. */
function merge(base: unknown, own: unknown): unknown {
  if (own === undefined) return base;
  if (!isObject(base) || !isObject(own)) return own ?? undefined;
  // Of another type, it has nothing to do with the scenario's.
  if ('type' in own && 'type' in base && own['type'] !== base['type']) return own;
  // Each condition is one field alone.
  const merged = { ...base };
  for (const [name, value] of Object.entries(own)) {
    if (value === null) delete merged[name];
    else merged[name] = name === 'when' ? value : merge(base[name], value);
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Puts the names that the request gives in the place of the scenario's, wherever those stand. */
function renamer(
  base: readonly Partial<AgentRequest>[],
  agents: readonly Partial<AgentRequest>[],
): (value: unknown) => unknown {
  const names = new Map<string, string>();
  for (const [index, { name }] of base.entries()) {
    const given = agents[index]?.name;
    if (name !== undefined && given !== undefined && given !== name) names.set(name, given);
  }
  const rename = (value: unknown): unknown => {
    if (typeof value === 'string') return names.get(value) ?? value;
    if (Array.isArray(value)) return value.map(rename);
    if (!isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [names.get(name) ?? name, rename(inner)]),
    );
  };
  return (value) => (names.size === 0 ? value : rename(value));
}

/** Who plays agents whose provider nobody says: the configured vendors by turns, else the pair. */
function vendorsOf(roster: readonly RosterEntry[]): string[] {
  const vendors = roster.filter(
    ({ configured, embedded, person, remote, defaultModels }) =>
      configured && !embedded && !person && !remote && defaultModels.length > 0,
  );
  const all = vendors.length > 0 ? vendors : roster.filter(({ embedded }) => embedded);
  return all.map(({ id }) => id);
}

function withProviders(
  request: Record<string, unknown>,
  vendors: readonly string[] | undefined,
): FilledRequest {
  let next = 0;
  const faults: Fault[] = [];
  const fill = (agent: Partial<AgentRequest>, path: string): FilledAgent => {
    const provider = agent.provider ?? vendors?.[next++ % vendors.length];
    if (provider === undefined) faults.push({ path: `${path}.provider`, message: 'is needed' });
    return { ...agent, provider: provider ?? '' };
  };
  const filled = { ...request } as FilledRequest;
  const agents = (request['agents'] ?? undefined) as Partial<AgentRequest>[] | undefined;
  filled.agents = agents?.map((agent, index) => fill(agent, `agents.${index}`));
  const { turnPolicy, decision } = filled;
  if (turnPolicy?.type === 'moderator') {
    filled.turnPolicy = { ...turnPolicy, moderator: fill(turnPolicy.moderator, 'turnPolicy.moderator') };
  }
  if (decision?.type === 'judge') {
    filled.decision = { ...decision, judge: fill(decision.judge, 'decision.judge') };
  }
  if (filled.agents && (filled.agents.length < 2 || filled.agents.length > 16)) {
    faults.push({ path: 'agents', message: 'takes 2 to 16 agents' });
  }
  if (faults.length > 0) throw invalid(faults);
  return filled;
}
