import {
  type ConversationRecord,
  EVERY_TENANT,
  type NewConversation,
  newRecord,
} from '../conversation/log/log.ts';
import {
  type ConversationRequest,
  type ConversationSettings,
  resolveSettings,
} from '../conversation/log/settings.ts';
import { type FilledRequest, filledIn } from '../conversation/scenarios/apply.ts';
import { findScenario } from '../conversation/scenarios/store.ts';
import { faultsOfGuard, type GuardFinding } from '../conversation/stages/guard.ts';
import { lookAtRequest, type Tell } from '../conversation/stages/inward.ts';
import { AppError, invalid, notFound } from '../errors.ts';
import { conversationIds } from './conversation-ids.ts';
import type { Idempotency } from './idempotency.ts';
import type { ServerParts } from './parts.ts';

/** What a request means, and what guards found in it. */
export interface Wanted {
  settings: ConversationSettings;
  found: readonly GuardFinding[];
}

/**
 * The settings that a request means, with what its scenario says, as guards let them pass.
 *
 * @throws AppError `validation_failed`, `provider_not_configured`
 */
export async function settingsFor(
  request: ConversationRequest,
  tenant: string,
  parts: Pick<ServerParts, 'roster' | 'defaults' | 'scenarios' | 'guards' | 'knowledge'>,
  tell: Tell,
): Promise<Wanted> {
  const { scenario: name } = request;
  const scenario =
    name === undefined || name === null ? undefined : await findScenario(parts.scenarios, tenant, name);
  if (name && !scenario) {
    throw invalid([{ path: 'scenario', message: 'is no scenario; GET /scenarios lists them' }]);
  }
  const wanted = await resolvedSettings(filledIn(request, scenario?.settings, parts.roster), parts, tell);
  await assertCollections(wanted.settings, tenant, parts);
  return wanted;
}

/** @throws AppError `validation_failed` where a collection is named that the tenant doesn't have */
async function assertCollections(
  { knowledge = [], agents }: ConversationSettings,
  tenant: string,
  parts: Pick<ServerParts, 'knowledge'>,
): Promise<void> {
  const uses = [
    ...knowledge.map(({ collection }, index) => ({ collection, path: `knowledge.${index}` })),
    ...agents.flatMap(({ knowledge: own = [] }, agent) =>
      own.map(({ collection }, index) => ({ collection, path: `agents.${agent}.knowledge.${index}` })),
    ),
  ];
  const names = [...new Set(uses.map(({ collection }) => collection))];
  const known = await Promise.all(names.map((name) => parts.knowledge.has(tenant, name)));
  const unknown = new Set(names.filter((_, index) => !known[index]));
  const faults = uses
    .filter(({ collection }) => unknown.has(collection))
    .map(({ path }) => ({
      path: `${path}.collection`,
      message: 'is no collection; GET /knowledge lists them',
    }));
  if (faults.length > 0) throw invalid(faults);
}

/** The settings of a request that is filled in. @throws AppError as settingsFor */
export async function resolvedSettings(
  filled: FilledRequest,
  { roster, defaults, guards }: Pick<ServerParts, 'roster' | 'defaults' | 'guards'>,
  tell: Tell,
): Promise<Wanted> {
  const wanted = filled.guard ?? undefined;
  const faults = faultsOfGuard(wanted, guards);
  if (faults.length > 0) throw invalid(faults);
  const guard = guards.of(wanted);
  const { request, found } = guard
    ? await lookAtRequest(guard, filled, tell)
    : { request: filled, found: [] };
  const resolution = resolveSettings(request, roster, defaults);
  if ('settings' in resolution) return { settings: resolution.settings, found };
  const { path, provider, hint } = resolution.notConfigured;
  const message = `${provider} is not configured: ${hint}`;
  throw new AppError('provider_not_configured', message, { faults: [{ path, message }] });
}

const nextId = conversationIds();

/** What a conversation is made of, besides its log. */
type Beginning = Pick<
  NewConversation,
  'id' | 'tenant' | 'key' | 'settings' | 'createdAt' | 'startedAt' | 'idempotency'
> & {
  traceparent?: string | undefined;
  /** What guards found in the settings. */
  found: readonly GuardFinding[];
};

/**
 * Makes a conversation and has it run; or finds the one that the idempotency key stands for.
 *
 * @param begin gives the log that it begins with
 * @throws AppError `idempotency_mismatch`, `overloaded`, `budget_spent`
 */
export async function createConversation(
  { runner, catalog, tracer, keyBudgets }: Pick<ServerParts, 'runner' | 'catalog' | 'tracer' | 'keyBudgets'>,
  wanted: Wanted & { tenant: string; key: string | undefined; idempotency: Idempotency | null },
  begin: (beginning: Beginning) => NewConversation,
): Promise<{ record: ConversationRecord; replayed: boolean }> {
  const { tenant, key } = wanted;
  if (key !== undefined) await keyBudgets?.assertLeft(key);
  const { id, createdAt } = nextId();
  const owner = { tenant, key };
  const place = runner.reserve(owner);
  try {
    const beginning = { ...wanted, id, createdAt, startedAt: place ? createdAt : null };
    const { settings } = wanted;
    const { made, conversation } = await tracer.creation({ id, settings }, async (traceparent) => {
      const conversation = begin({ ...beginning, traceparent });
      return { made: await catalog.create(conversation), conversation };
    });
    switch (made.outcome) {
      case 'created':
        runner.start(id, owner, place);
        return { record: newRecord(conversation), replayed: false };
      case 'replayed': {
        const record = await catalog.get(EVERY_TENANT, made.id);
        if (!record) throw notFound('The conversation of this idempotency key was removed');
        // Whoever made it may have died before starting it.
        if (record.status !== 'terminated') runner.start(record.id, owner);
        return { record, replayed: true };
      }
      case 'idempotency_mismatch':
        throw new AppError('idempotency_mismatch', 'This Idempotency-Key was used before with another body');
      default:
        return made satisfies never;
    }
  } finally {
    place?.release();
  }
}
