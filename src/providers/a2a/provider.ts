import type { RemoteAgents } from '../../config/a2a-agents.ts';
import { type GenerateRequest, type Provider, ProviderError } from '../../conversation/turn/provider.ts';
import { answerOf, type Chunk } from '../answer.ts';
import { classify } from '../classify.ts';
import { RemoteAgent } from './agent.ts';
import { readable } from './failures.ts';

/**
 * Remote agents as a provider; docs/protocol.md, section 13.3. A model is an agent's name. An agent is sent one message
 * for each turn, with all that a model would be shown; where its last message asked for something, only what was said
 * since, as the answer to that. Temperature and the most tokens mean nothing to it.
 */
export function a2aProvider({
  agents,
  mask,
}: {
  agents: RemoteAgents;
  mask: (text: string) => string;
}): Provider {
  const known = new Map(Object.entries(agents).map(([name, base]) => [name, new RemoteAgent(base)]));

  async function* chunks(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    const agent = known.get(request.model);
    if (!agent) throw new ProviderError('not_found', `A2A_AGENTS has no ${request.model}`);
    const waiting = request.waiting?.model === request.model ? request.waiting : undefined;
    const said = { whole: wholeOf(request), answer: newestOf(request), waiting };
    try {
      yield* agent.ask(said, signal);
    } catch (error) {
      throw readable(error);
    }
  }

  return { generate: (request, signal) => answerOf((call) => chunks(request, call), signal, mask) };
}

/** What is wrong with where an agent is said to be, without a word to it; undefined where nothing is. */
export async function checkAgent(
  base: string,
  mask: (text: string) => string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await new RemoteAgent(base).check(signal);
    return undefined;
  } catch (error) {
    return classify(readable(error), mask).message;
  }
}

/** The prompt as one text: there is no other place for what it is about. */
function wholeOf({ agent, system, messages }: GenerateRequest): string {
  const said = messages.map(({ role, content }) => (role === 'assistant' ? `${agent}: ${content}` : content));
  return [system, 'What was said so far:', ...said, `It is your turn, ${agent}.`].join('\n\n');
}

/** What was said since the agent's own last message. */
function newestOf(request: GenerateRequest): string {
  const last = request.messages.at(-1);
  return last?.role === 'user' ? last.content : wholeOf(request);
}
