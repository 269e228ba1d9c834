import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ConversationRequest } from '../client/types.ts';
import { CommandError, EXIT } from './exit.ts';

/** A request for a conversation that was kept under a name; its topic may be left out. */
export type Template = Partial<ConversationRequest>;

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** One file for each, in the user's own folder for configuration. */
export class Templates {
  readonly #folder: string;

  constructor({ XDG_CONFIG_HOME }: NodeJS.ProcessEnv) {
    this.#folder = join(XDG_CONFIG_HOME || join(homedir(), '.config'), 'aic', 'templates');
  }

  /** @returns the file's path */
  save(name: string, template: Template): string {
    const path = this.#path(name);
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(path, `${JSON.stringify(template, undefined, 2)}\n`);
    return path;
  }

  load(name: string): Template {
    const path = this.#path(name);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      const names = this.names();
      const kept = names.length === 0 ? '--save keeps one' : `there are ${names.join(', ')}`;
      throw new CommandError(EXIT.usage, `No template is called ${name}; ${kept}`);
    }
    try {
      return JSON.parse(text) as Template;
    } catch {
      throw new CommandError(EXIT.usage, `${path} is no JSON`);
    }
  }

  names(): string[] {
    try {
      return readdirSync(this.#folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));
    } catch {
      return [];
    }
  }

  #path(name: string): string {
    if (NAME.test(name)) return join(this.#folder, `${name}.json`);
    const takes = 'a name of small letters, digits, - and _';
    throw new CommandError(EXIT.usage, `A template takes ${takes}, not "${name}"`);
  }
}
