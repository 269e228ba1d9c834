import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { filledIn } from '../../conversation/scenarios/apply.ts';
import { BUILT_IN_SCENARIOS, type Scenario } from '../../conversation/scenarios/built-in.ts';
import { findScenario, isBuiltIn, MOST_SCENARIOS } from '../../conversation/scenarios/store.ts';
import type { Tell } from '../../conversation/stages/inward.ts';
import { AppError, invalid, notFound } from '../../errors.ts';
import type { ConversationRequest } from '../../protocol/creation.ts';
import { problem } from '../../protocol/problem.ts';
import {
  isScenarioName,
  type ScenarioSettings,
  scenario,
  scenarioList,
  scenarioParameter,
  scenarioRequest,
} from '../../protocol/scenarios.ts';
import { callerOf } from '../caller.ts';
import { resolvedSettings } from '../creation.ts';
import { tellOf } from '../guarding.ts';
import type { ServerParts } from '../parts.ts';

/** Named beginnings; docs/protocol.md, section 9.6. */
export function registerScenarios(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/scenarios',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'listScenarios',
        summary: 'List the scenarios: those that are built in, and your own',
        tags: ['scenarios'],
        response: { 200: scenarioList, 503: problem },
      },
    },
    async (request) => {
      const own = await parts.scenarios.list(callerOf(request).tenant);
      return { items: [...BUILT_IN_SCENARIOS, ...own].map(shown), nextCursor: null };
    },
  );

  app.get(
    '/scenarios/:name',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'getScenario',
        summary: 'Read a scenario',
        tags: ['scenarios'],
        params: scenarioParameter,
        response: { 200: scenario, 404: problem, 503: problem },
      },
    },
    async (request) => {
      const found = await findScenario(parts.scenarios, callerOf(request).tenant, request.params.name);
      if (!found) throw notFound('There is no scenario with this name');
      return shown(found);
    },
  );

  app.put(
    '/scenarios/:name',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'putScenario',
        summary: 'Keep a scenario of your own, or replace it',
        tags: ['scenarios'],
        params: scenarioParameter,
        body: scenarioRequest(parts.maxMessageLength),
        response: { 200: scenario, 201: scenario, 400: problem, 409: problem, 503: problem },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (isBuiltIn(name))
        throw new AppError('conflict', `The scenario ${name} is built in, and stays as it is`);
      if (!isScenarioName(name)) {
        const message = 'takes small letters, digits, - and _, at most 63, with a letter or a digit first';
        throw invalid([{ path: 'name', message }]);
      }
      const { title, description, settings } = request.body;
      await assertUsable(settings, parts, tellOf(parts, request));
      const kept: Scenario = { name, title, description, settings };
      const outcome = await parts.scenarios.put(callerOf(request).tenant, kept);
      if (outcome === 'full') {
        const detail = `At most ${MOST_SCENARIOS} scenarios of your own are kept: delete one first`;
        throw new AppError('conflict', detail);
      }
      return reply.code(outcome === 'created' ? 201 : 200).send(shown(kept));
    },
  );

  app.delete(
    '/scenarios/:name',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'deleteScenario',
        summary: 'Remove a scenario of your own',
        tags: ['scenarios'],
        params: scenarioParameter,
        response: {
          204: z.undefined().meta({ description: 'It is gone.' }),
          404: problem,
          409: problem,
          503: problem,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (isBuiltIn(name)) throw new AppError('conflict', `The scenario ${name} is built in, and stays`);
      if (!(await parts.scenarios.delete(callerOf(request).tenant, name))) {
        throw notFound('There is no scenario with this name');
      }
      return reply.code(204).send();
    },
  );
}

/** Checks settings as a conversation's are; what is wrong stands under `settings`. */
async function assertUsable(settings: ScenarioSettings, parts: ServerParts, tell: Tell): Promise<void> {
  try {
    const request = { topic: 'x' } as ConversationRequest;
    await resolvedSettings(filledIn(request, settings, parts.roster), parts, tell);
  } catch (error) {
    if (!(error instanceof AppError) || error.faults.length === 0) throw error;
    const faults = error.faults.map(({ path, message }) => ({ path: `settings.${path}`, message }));
    throw invalid(faults);
  }
}

function shown({ name, title, description, settings }: Scenario) {
  return { name, title, description, settings: settings as Record<string, unknown> };
}
