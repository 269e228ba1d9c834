import { z } from 'zod';
import { scenarioSettings } from './creation.ts';
import { text } from './text.ts';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** A scenario as clients see it; docs/protocol.md, section 9.6. */
export const scenario = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    /** What a request for a conversation may have, but the topic. */
    settings: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Scenario' });

export const scenarioList = z.object({ items: z.array(scenario), nextCursor: z.null() });

/** The body of PUT /scenarios/{name}. */
export function scenarioRequest(maxMessageLength: number) {
  return z.strictObject({
    title: text(200),
    description: text(2000),
    settings: scenarioSettings(maxMessageLength),
  });
}

export const scenarioParameter = z.object({ name: z.string() });

export function isScenarioName(name: string): boolean {
  return NAME.test(name);
}

export type ScenarioSettings = z.infer<ReturnType<typeof scenarioSettings>>;
export type Scenario = z.infer<typeof scenario>;
export type ScenarioRequest = z.infer<ReturnType<typeof scenarioRequest>>;
