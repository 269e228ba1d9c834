import { readFileSync } from 'node:fs';
import type { RedisClient } from './connection.ts';

const NAMES = [
  'create',
  'append',
  'started',
  'remove',
  'claim',
  'forget',
  'restore',
  'feed-intend',
  'feed-tell',
  'feed-overdue',
] as const;

/** What it takes and gives stands at the head of its file. */
export type Script = (keys: readonly string[], values: readonly (string | number)[]) => Promise<unknown>;
type Scripts = Record<(typeof NAMES)[number], Script>;

/** The scripts of a conversation, on a connection. */
export function scriptsOf(client: RedisClient): Scripts {
  const scripts: Partial<Scripts> = {};
  for (const name of NAMES) {
    const file = new URL(`./scripts/${name}.lua`, import.meta.url);
    scripts[name] = defineScript(client, `conversation_${name}`, file);
  }
  return scripts as Scripts;
}

/**
 * A script as a command of a connection. It is named by its hash; a server that doesn't know it, because it was
 * restarted or flushed, is sent its text.
 */
export function defineScript(client: RedisClient, command: string, file: URL): Script {
  client.defineCommand(command, { lua: readFileSync(file, 'utf8') });
  const run = (client as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>)[command];
  if (!run) throw new Error(`there is no command ${command}`);
  return (keys, values) => run.call(client, keys.length, keys, values);
}
