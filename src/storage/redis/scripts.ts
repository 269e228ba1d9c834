import { readFileSync } from 'node:fs';
import type { RedisClient } from './connection.ts';

/** How many of a script's arguments are keys. What they take and give stands at the head of each file. */
const KEYS = {
  create: 3,
  append: 2,
  end: 2,
  started: 1,
  remove: 3,
  claim: 1,
  forget: 1,
  restore: 2,
  publish: 1,
} as const;

type Script = (keys: readonly string[], values: readonly (string | number)[]) => Promise<unknown>;
type Scripts = Record<keyof typeof KEYS, Script>;

/**
 * The scripts of a connection. They are named by their hash; a server that doesn't know one, because it was
 * restarted or flushed, is sent its text.
 */
export function scriptsOf(client: RedisClient): Scripts {
  const scripts: Partial<Scripts> = {};
  for (const [name, numberOfKeys] of Object.entries(KEYS) as [keyof Scripts, number][]) {
    const lua = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
    const command = `conversation_${name}`;
    client.defineCommand(command, { numberOfKeys, lua });
    const run = (client as unknown as Record<string, Script>)[command];
    if (!run) throw new Error(`there is no script ${name}`);
    scripts[name] = run.bind(client);
  }
  return scripts as Scripts;
}
