import { z } from 'zod';
import { type Fault, invalid } from '../../errors.ts';

/** Who opens a conversation; no agent may take this name. */
export const MODERATOR = 'Moderator';

/** A model of a provider. */
const modelChoice = z.object({ provider: z.string(), model: z.string() });

const agentSettings = z.object({
  name: z.string(),
  ...modelChoice.shape,
  /** Who plays the agent where its own model fails or its circuit is open, in this order. */
  fallbacks: z.array(modelChoice).optional(),
  instructions: z.string().optional(),
  temperature: z.number(),
  maxOutputTokens: z.number().int(),
});

export const ON_CIRCUIT_OPEN = ['wait', 'fallback', 'end'] as const;

/** Everything a conversation was started with, defaults filled in. It is kept in the log's first event. */
export const conversationSettings = z.object({
  topic: z.string(),
  agents: z.array(agentSettings),
  openingMessage: z.string(),
  maxTurns: z.number().int(),
  timeoutSeconds: z.number().int(),
  contextMessages: z.number().int(),
  /** What an agent does whose circuit is open; by default `fallback` where it has fallbacks, else `wait`. */
  onCircuitOpen: z.enum(ON_CIRCUIT_OPEN).optional(),
  termination: z.object({
    phrases: z.array(z.string()),
    minTurns: z.number().int(),
    similarity: z.object({
      threshold: z.number(),
      consecutive: z.number().int(),
      /** False where a loop ends the conversation without a word before. */
      nudge: z.boolean().optional(),
    }),
    maxTotalTokens: z.number().int().optional(),
    maxCostUsd: z.number().optional(),
  }),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

export type ModelChoice = z.infer<typeof modelChoice>;
export type AgentSettings = z.infer<typeof agentSettings>;
export type ConversationSettings = z.infer<typeof conversationSettings>;

/** What a request may say about an agent; all but the provider has a default. */
export interface AgentRequest {
  provider: string;
  name?: string | undefined;
  model?: string | undefined;
  fallbacks?: { provider: string; model?: string | undefined }[] | undefined;
  instructions?: string | undefined;
  temperature?: number | undefined;
  maxOutputTokens?: number | undefined;
}

/** A checked request for a conversation, before the defaults. */
export interface ConversationRequest {
  topic: string;
  agents?: AgentRequest[] | undefined;
  openingMessage?: string | undefined;
  maxTurns?: number | undefined;
  timeoutSeconds?: number | undefined;
  contextMessages?: number | undefined;
  onCircuitOpen?: (typeof ON_CIRCUIT_OPEN)[number] | undefined;
  termination?:
    | {
        phrases?: string[] | undefined;
        minTurns?: number | undefined;
        similarity?:
          | { threshold?: number | undefined; consecutive?: number | undefined; nudge?: boolean | undefined }
          | undefined;
        maxTotalTokens?: number | undefined;
        maxCostUsd?: number | undefined;
      }
    | undefined;
  metadata?: Record<string, string | number | boolean> | undefined;
}

/** A provider as the settings see it. */
export interface RosterEntry {
  id: string;
  /** `embedded` names its agents after their model. */
  displayName: (model: string) => string;
  configured: boolean;
  /** Why it is not configured: what to set. */
  hint: string;
  /** In the order in which agents without a model take them; empty where there is no default. */
  defaultModels: readonly string[];
  /** The only models there are; undefined where the vendor decides. */
  models: readonly string[] | undefined;
  /** Needs no key and no network; the pair of last resort. */
  embedded: boolean;
}

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
  request: ConversationRequest,
  roster: readonly RosterEntry[],
  defaults: SettingsDefaults,
): Resolution {
  const requested = request.agents ?? defaultAgents(roster);
  const faults: Fault[] = [];
  const withoutModel = new Map<string, number>();
  const agents = requested.map((agent, index) => {
    const path = `agents.${index}`;
    const chosen = choose(agent, path, withoutModel, roster, faults);
    const fallbacks = agent.fallbacks?.map((choice, place) =>
      choose(choice, `${path}.fallbacks.${place}`, new Map(), roster, faults),
    );
    return { agent, chosen, fallbacks };
  });

  const names = nameAgents(
    agents.map(({ agent, chosen }) => ({
      given: agent.name,
      fallback: chosen?.entry.displayName(chosen.model) ?? '',
    })),
    faults,
  );
  if (faults.length > 0) throw invalid(faults);

  for (const chosen of agents.flatMap(({ chosen, fallbacks = [] }) => [chosen, ...fallbacks])) {
    if (chosen && !chosen.entry.configured) {
      const { id, hint } = chosen.entry;
      return { notConfigured: { path: `${chosen.path}.provider`, provider: id, hint } };
    }
  }

  const { phrases, minTurns, similarity, maxTotalTokens, maxCostUsd } = request.termination ?? {};
  // What is undefined is left out where this becomes JSON, which is all that the log and clients get of it.
  const settings: ConversationSettings = {
    topic: request.topic,
    agents: agents.flatMap(({ agent, chosen, fallbacks }, index) => {
      if (!chosen) return [];
      return {
        name: names[index] ?? '',
        provider: chosen.entry.id,
        model: chosen.model,
        fallbacks: fallbacks?.flatMap((chosen) => (chosen ? [toModelChoice(chosen)] : [])),
        instructions: agent.instructions,
        temperature: agent.temperature ?? defaults.temperature,
        maxOutputTokens: agent.maxOutputTokens ?? defaults.maxOutputTokens,
      };
    }),
    openingMessage: request.openingMessage ?? request.topic,
    maxTurns: request.maxTurns ?? defaults.maxTurns,
    timeoutSeconds: request.timeoutSeconds ?? defaults.timeoutSeconds,
    contextMessages: request.contextMessages ?? defaults.contextMessages,
    onCircuitOpen: request.onCircuitOpen,
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
    },
    metadata: request.metadata ?? {},
  };
  return { settings };
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
  if (model === undefined && entry.configured) {
    faults.push({ path: `${path}.model`, message: `is needed, because ${entry.id} has no default model` });
  }
  return { path, entry, model: model ?? '' };
}

function toModelChoice({ entry, model }: Chosen): ModelChoice {
  return { provider: entry.id, model };
}

/** The first two configured vendors; one alone talks with itself; none: the embedded pair. */
function defaultAgents(roster: readonly RosterEntry[]): AgentRequest[] {
  const vendors = roster.filter(
    ({ configured, embedded, defaultModels }) => configured && !embedded && defaultModels.length > 0,
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
