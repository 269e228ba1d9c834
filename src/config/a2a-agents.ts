import { z } from 'zod';

const MOST_AGENTS = 100;
/** It is the agent's model and its name by default; the command line sets it between a colon and an equals sign. */
const NAME = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,62}[\p{L}\p{N}._-])?$/u;

const takes =
  'takes a JSON object of names and addresses, such as {"weather": "https://agents.example.com/weather"}';
const name = z
  .string()
  .regex(NAME, 'takes names of up to 64 letters, digits, spaces, dots, hyphens and underscores')
  .refine((text) => text.toLowerCase() !== 'moderator', 'takes other names than that of the moderator');
const address = z
  .string('takes an address as a text')
  .refine(isBase, 'takes addresses with http or https, without a user, a query or a fragment');

/** By its name, the base of a remote agent's addresses; its card is below that. */
export type RemoteAgents = Readonly<Record<string, string>>;

/** Reads A2A_AGENTS; docs/protocol.md, section 13.3. */
export const remoteAgents = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: takes, fatal: true });
      return z.NEVER;
    }
  })
  .pipe(
    z
      .record(z.string(), z.unknown(), takes)
      .refine((agents) => Object.keys(agents).length <= MOST_AGENTS, `takes at most ${MOST_AGENTS} agents`)
      .transform((agents, context): RemoteAgents => {
        for (const [key, value] of Object.entries(agents)) {
          const faults = [...issuesOf(name, key), ...issuesOf(address, value)];
          for (const message of faults) {
            context.addIssue({ code: 'custom', message: `${message}: see ${JSON.stringify(key)}` });
          }
        }
        return agents as RemoteAgents;
      }),
  );

function issuesOf(schema: z.ZodType, value: unknown): string[] {
  return schema.safeParse(value).error?.issues.map(({ message }) => message) ?? [];
}

function isBase(text: string): boolean {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}
