/**
 * Every name that a trace or an OpenTelemetry metric of this server has, in one place. Names with `gen_ai.`
 * are OpenTelemetry's, in the version that `conventionsFor` chooses; those with `ai_conversation.` are ours.
 *
 * Sources: https://github.com/open-telemetry/semantic-conventions/tree/v1.36.0/docs/gen-ai and
 * https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai
 */

/** Who made the spans and metrics. */
export const SCOPE = 'ai-conversation-platform';

export const ATTRIBUTE = {
  operation: 'gen_ai.operation.name',
  conversation: 'gen_ai.conversation.id',
  agent: 'gen_ai.agent.name',
  requestModel: 'gen_ai.request.model',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  finishReasons: 'gen_ai.response.finish_reasons',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  tokenType: 'gen_ai.token.type',
  errorType: 'error.type',
  /** The collections that were searched, with commas between them. */
  dataSource: 'gen_ai.data_source.id',
  turn: 'ai_conversation.turn',
  turns: 'ai_conversation.turns',
  /** Passages that the agent was shown. */
  passages: 'ai_conversation.retrieval.passages',
  degraded: 'ai_conversation.retrieval.degraded',
  attempt: 'ai_conversation.attempt',
  /** True where the vendor counted no tokens and they are estimated from the texts' length. */
  usageEstimated: 'ai_conversation.usage.estimated',
  /** `ended`, `timeout` or `drained`: why the work was left before its end, which is no error. */
  stopped: 'ai_conversation.stopped',
  /** Why the conversation ended. */
  reason: 'ai_conversation.reason',
  /** What became of the creation, such as `replayed` for a repeated call. */
  creation: 'ai_conversation.creation',
  agents: 'ai_conversation.agents',
  maxTurns: 'ai_conversation.max_turns',
  /** Seconds. */
  retryDelay: 'ai_conversation.retry.delay',
  fallbackFrom: 'ai_conversation.fallback.from',
  fallbackTo: 'ai_conversation.fallback.to',
  fallbackWhy: 'ai_conversation.fallback.reason',
} as const;

/** Names of spans; for agents and models the name follows the operation. */
export const SPAN = {
  creation: 'conversation.start',
  resumption: 'conversation.resume',
  ending: 'conversation.end',
  turn: 'invoke_agent',
  response: 'generate response',
  retrieval: 'retrieval',
  call: 'chat',
} as const;

export const SPAN_EVENT = {
  retry: 'retry.scheduled',
  failure: 'attempt.failed',
  fallback: 'fallback',
} as const;

/** Histograms with the bucket boundaries that the conventions advise. */
export const HISTOGRAM = {
  tokens: {
    name: 'gen_ai.client.token.usage',
    description: 'Number of input and output tokens used.',
    unit: '{token}',
    boundaries: Array.from({ length: 14 }, (_, power) => 4 ** power),
  },
  /** 10 ms, doubled 13 times. */
  duration: {
    name: 'gen_ai.client.operation.duration',
    description: 'GenAI operation duration.',
    unit: 's',
    boundaries: Array.from({ length: 14 }, (_, power) => 2 ** power / 100),
  },
} as const;

/** Where the two versions differ. */
export interface Conventions {
  /** The attribute that names who offers a model. */
  provider: string;
  /** Its values by our ids. What isn't here is a custom value, as the conventions allow: `local`, `embedded`. */
  providerNames: Readonly<Record<string, string>>;
  /** Seconds; undefined where there is no such attribute. */
  timeToFirstChunk: string | undefined;
  stream: string | undefined;
  /** Where texts go that somebody opted in to: attributes with the whole prompt and answer, or an event a message. */
  content: { input: string; output: string; instructions: string } | 'events';
}

const VENDORS = { claude: 'anthropic', chatgpt: 'openai', gemini: 'gcp.gemini', perplexity: 'perplexity' };

const LATEST: Conventions = {
  provider: 'gen_ai.provider.name',
  providerNames: { ...VENDORS, grok: 'x_ai' },
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  stream: 'gen_ai.request.stream',
  content: {
    input: 'gen_ai.input.messages',
    output: 'gen_ai.output.messages',
    instructions: 'gen_ai.system_instructions',
  },
};

/** Version 1.36, which is to be the default as long as nobody opts in to a later one. */
const V1_36: Conventions = {
  provider: 'gen_ai.system',
  providerNames: { ...VENDORS, grok: 'xai' },
  timeToFirstChunk: undefined,
  stream: undefined,
  content: 'events',
};

/** @param optIn the value of OTEL_SEMCONV_STABILITY_OPT_IN: a list with commas */
export function conventionsFor(optIn: string | undefined): Conventions {
  const chosen = optIn?.split(',').map((name) => name.trim());
  return chosen?.includes('gen_ai_latest_experimental') ? LATEST : V1_36;
}
