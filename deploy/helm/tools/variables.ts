import type { Config } from '../../../src/config/config.ts';

/** Variables that the chart sets from values of their own. */
export const SET_BY_THE_CHART = [
  'HOST',
  'PORT',
  'DATA_DIR',
  'REDIS_URL',
  'API_KEYS',
  'API_KEYS_FILE',
  'ALLOW_ANONYMOUS',
  'ALLOWED_HOSTS',
  'ALLOWED_ORIGINS',
  'MAX_ACTIVE_CONVERSATIONS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
] as const;

/** Variables that hold a secret, and so never stand in a ConfigMap. */
export const SECRET = [
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'GOOGLE_API_KEY',
  'GEMINI_API_KEY',
  'XAI_API_KEY',
  'PERPLEXITY_API_KEY',
  'LOCAL_API_KEY',
  'VECTOR_URL',
  'WEBHOOKS_SECRET_KEY',
] as const;

/** All others: docs/protocol.md, section 6. */
export const PLAIN = [
  'LOG_LEVEL',
  'DEFAULT_MAX_TURNS',
  'DEFAULT_TIMEOUT_MINUTES',
  'MAX_CONTEXT_MSGS',
  'TEMPERATURE',
  'MAX_TOKENS',
  'MAX_MESSAGE_LENGTH',
  'SIMILARITY_THRESHOLD',
  'MAX_CONSECUTIVE_SIMILAR',
  'EMBEDDED_TOKEN_DELAY_MS',
  'RETRY_TRIES',
  'RETRY_FIRST_DELAY_MS',
  'FIRST_TOKEN_TIMEOUT_SECONDS',
  'CALL_TIMEOUT_SECONDS',
  'CIRCUIT_FAILURES',
  'CIRCUIT_OPEN_SECONDS',
  'MODEL_SETTINGS',
  'DAILY_COST_LIMIT_USD',
  'ANTHROPIC_BASE_URL',
  'CLAUDE_MODEL',
  'OPENAI_BASE_URL',
  'CHATGPT_MODEL',
  'GEMINI_BASE_URL',
  'GEMINI_MODEL',
  'XAI_BASE_URL',
  'GROK_MODEL',
  'PERPLEXITY_BASE_URL',
  'PERPLEXITY_MODEL',
  'LOCAL_BASE_URL',
  'LOCAL_MODEL',
  'GUARD_INJECTION',
  'GUARD_SECRETS',
  'GUARD_PERSONAL_DATA',
  'GUARD_INVISIBLE',
  'GUARD_LLM_GUARD',
  'LLM_GUARD_URL',
  'ENABLE_LLM_GUARD',
  'EMBEDDINGS_PROVIDER',
  'EMBEDDINGS_MODEL',
  'EMBEDDINGS_DIMENSIONS',
  'WEBHOOKS_ALLOW_PRIVATE',
  'WEBHOOKS_RETRY_SECONDS',
  'WEBHOOKS_TIMEOUT_SECONDS',
  'A2A_AGENTS',
] as const;

type Known = (typeof SET_BY_THE_CHART | typeof SECRET | typeof PLAIN)[number] | `OTEL_${string}`;
type Unknown = Exclude<keyof Config, Known>;
/** A variable that the server reads and the chart doesn't know is an error of types here, with its name. */
export const ALL_ARE_KNOWN: [Unknown] extends [never] ? true : Unknown = true;
