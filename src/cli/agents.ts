import type { ConversationRequest } from '../client/types.ts';
import { CommandError, EXIT } from './exit.ts';

export type AgentRequest = NonNullable<ConversationRequest['agents']>[number];

/**
 * Reads `PROVIDER[:MODEL][=NAME]`; a model may have more colons.
 *
 * @param flag as the user gave it, for the message
 * @throws CommandError
 */
function parseAgent(text: string, flag: string): AgentRequest {
  const [, provider, model, name] = /^([^:=]+)(?::([^=]+))?(?:=(.+))?$/s.exec(text) ?? [];
  if (provider === undefined) {
    throw new CommandError(
      EXIT.usage,
      `${flag} takes PROVIDER[:MODEL][=NAME], such as claude=Ada, not "${text}"`,
    );
  }
  return { provider, ...(model === undefined ? {} : { model }), ...(name === undefined ? {} : { name }) };
}

/** The agents in their order: the numbered ones, then the others. Undefined where none is named. */
export function agentsOf(options: {
  agent?: readonly string[];
  agent1?: string;
  agent2?: string;
}): AgentRequest[] | undefined {
  const { agent = [], agent1, agent2 } = options;
  if (agent2 !== undefined && agent1 === undefined) {
    throw new CommandError(EXIT.usage, '--agent2 needs an --agent1 before it');
  }
  const numbered = [agent1, agent2].flatMap((text, index) =>
    text === undefined ? [] : [parseAgent(text, `--agent${index + 1}`)],
  );
  const all = [...numbered, ...agent.map((text) => parseAgent(text, '--agent'))];
  return all.length === 0 ? undefined : all;
}
