import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { GUARD_MODES } from '../conversation/stages/guard.ts';
import { isLoopback } from '../security/addresses.ts';
import { readKeyFile } from '../security/key-file.ts';
import { parseKeys } from '../security/keyring.ts';
import { createMasker, Secret } from '../security/secrets.ts';
import { parseRedisUrl } from '../storage/redis/url.ts';
import { remoteAgents } from './a2a-agents.ts';
import { ConfigurationError } from './configuration-error.ts';
import { readDotEnv } from './dot-env.ts';
import { modelTable } from './model-settings.ts';

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)$/;

function number(
  minimum: number,
  maximum: number,
  fallback: number,
  takes = `takes a number from ${minimum} to ${maximum}`,
) {
  return z
    .string()
    .refine((text) => DECIMAL.test(text) && Number(text) >= minimum && Number(text) <= maximum, takes)
    .transform(Number)
    .default(fallback);
}

function whole(minimum: number, maximum: number, fallback: number) {
  const takes = `takes a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum, takes)
    .transform(Number)
    .default(fallback);
}

function choice<const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) {
  return z.enum(values, `takes one of ${values.join(', ')}`).default(fallback as never);
}

const trueOrFalse = (fallback: boolean) =>
  z
    .enum(['true', 'false'], 'takes true or false')
    .transform((text) => text === 'true')
    .default(fallback);

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#boolean-value */
const likeOpenTelemetry = (fallback: boolean) =>
  z
    .stringFormat('boolean', /^(?:true|false)$/i, 'takes true or false')
    .transform((text) => text.toLowerCase() === 'true')
    .default(fallback);

/** Names or origins with commas between them; between two commas there may be nothing. */
function list(pattern: RegExp, takes: string) {
  return z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim().toLowerCase())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every((item) => pattern.test(item)), takes)
    .default([]);
}

/** Times with commas between them. */
function secondsList(fallback: readonly number[]) {
  const takes = 'takes up to 20 numbers of seconds from 0 to 604800, with commas between them';
  return z
    .string()
    .transform((value) => value.split(',').map((item) => item.trim()))
    .refine((items) => items.length <= 20 && items.every((item) => DECIMAL.test(item)), takes)
    .transform((items) => items.map(Number))
    .refine((items) => items.every((seconds) => seconds >= 0 && seconds <= 604_800), takes)
    .default([...fallback]);
}

const text = z.string().optional();
const secret = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'takes printable ASCII without spaces')
  .transform((value) => new Secret(value))
  .optional()
  .meta({ secret: true });
/** Secret as a whole, since it may hold a password. */
const redisUrl = z
  .string()
  .superRefine((value, context) => {
    try {
      parseRedisUrl(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  })
  .transform((value) => new Secret(value))
  .optional()
  .meta({ secret: true });
/** Secret as a whole, as the one of Redis. */
const postgresUrl = z
  .string()
  .refine(
    (value) => /^postgres(?:ql)?:\/\/(?:[^%]|%[\da-f]{2})+$/i.test(value) && URL.canParse(value),
    'takes postgres://USER:PASSWORD@HOST:PORT/DATABASE',
  )
  .transform((value) => new Secret(value))
  .optional()
  .meta({ secret: true });
/** What a function makes of a text; what it throws is what is wrong with it. */
function made<Value>(make: (text: string) => Value) {
  return z
    .string()
    .transform((value, context) => {
      try {
        return make(value);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .optional();
}
const url = z
  .string()
  .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), 'takes a URL with http or https')
  .optional();

/** Every variable that the server reads, with its default; docs/protocol.md, section 6. */
const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: whole(0, 65_535, 8080),
  ALLOW_ANONYMOUS: trueOrFalse(false),
  ALLOWED_HOSTS: list(
    /^(?:\*|\[?[\da-f:.]+\]?|[\w.-]+)$/,
    'takes names without ports, with commas between them, or * for any',
  ),
  ALLOWED_ORIGINS: list(
    /^https?:\/\/(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/,
    'takes origins such as https://app.example.com, with commas between them',
  ),
  API_KEYS: made(parseKeys),
  API_KEYS_FILE: made((path) => ({ path, entries: readKeyFile(path) })),
  DATA_DIR: z.string().default('./data'),
  REDIS_URL: redisUrl,
  LOG_LEVEL: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  DEFAULT_MAX_TURNS: whole(1, 10_000, 50),
  DEFAULT_TIMEOUT_MINUTES: number(1 / 60, 1440, 30, 'takes minutes from 1/60 (a second) to 1440 (a day)'),
  MAX_CONTEXT_MSGS: whole(1, 100, 10),
  TEMPERATURE: number(0, 2, 0.7),
  MAX_TOKENS: whole(1, 32_000, 1024),
  MAX_MESSAGE_LENGTH: whole(1, 1_000_000, 100_000),
  SIMILARITY_THRESHOLD: number(Number.MIN_VALUE, 1, 0.85, 'takes a number above 0 up to 1'),
  MAX_CONSECUTIVE_SIMILAR: whole(1, 10, 2),
  MAX_ACTIVE_CONVERSATIONS: whole(1, 1_000_000, 10_000),
  EMBEDDED_TOKEN_DELAY_MS: whole(0, 60_000, 30),
  RETRY_TRIES: whole(1, 20, 5),
  RETRY_FIRST_DELAY_MS: whole(0, 60_000, 2000),
  FIRST_TOKEN_TIMEOUT_SECONDS: number(0.001, 86_400, 60),
  CALL_TIMEOUT_SECONDS: number(0.001, 86_400, 120),
  CIRCUIT_FAILURES: whole(1, 1000, 5),
  CIRCUIT_OPEN_SECONDS: number(0.001, 86_400, 60),
  MODEL_SETTINGS: modelTable.optional(),
  DAILY_COST_LIMIT_USD: number(0, 1e9, Infinity),
  EMBEDDINGS_PROVIDER: z
    .enum(['chatgpt', 'gemini', 'local'], 'takes one of chatgpt, gemini, local')
    .optional(),
  EMBEDDINGS_MODEL: text,
  EMBEDDINGS_DIMENSIONS: whole(1, 16_000, 0).transform((count) => (count === 0 ? undefined : count)),
  VECTOR_URL: postgresUrl,
  GUARD_INJECTION: choice(GUARD_MODES, 'flag'),
  GUARD_SECRETS: choice(GUARD_MODES, 'redact'),
  GUARD_PERSONAL_DATA: choice(GUARD_MODES, 'off'),
  GUARD_INVISIBLE: choice(GUARD_MODES, 'redact'),
  GUARD_LLM_GUARD: choice(GUARD_MODES, 'flag'),
  LLM_GUARD_URL: url,
  ENABLE_LLM_GUARD: trueOrFalse(true),
  WEBHOOKS_SECRET_KEY: secret,
  WEBHOOKS_ALLOW_PRIVATE: trueOrFalse(false),
  WEBHOOKS_TIMEOUT_SECONDS: whole(1, 60, 15),
  WEBHOOKS_RETRY_SECONDS: secondsList([5, 30, 120, 900, 3600, 21_600, 86_400]),
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_SDK_DISABLED: likeOpenTelemetry(false),
  OTEL_SEMCONV_STABILITY_OPT_IN: text,
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: likeOpenTelemetry(false),
  ANTHROPIC_API_KEY: secret,
  ANTHROPIC_BASE_URL: url,
  CLAUDE_MODEL: text,
  OPENAI_API_KEY: secret,
  OPENAI_BASE_URL: url,
  CHATGPT_MODEL: text,
  GOOGLE_API_KEY: secret,
  GEMINI_API_KEY: secret,
  GEMINI_BASE_URL: url,
  GEMINI_MODEL: text,
  XAI_API_KEY: secret,
  XAI_BASE_URL: url,
  GROK_MODEL: text,
  PERPLEXITY_API_KEY: secret,
  PERPLEXITY_BASE_URL: url,
  PERPLEXITY_MODEL: text,
  LOCAL_API_KEY: secret,
  LOCAL_BASE_URL: url,
  LOCAL_MODEL: text,
  A2A_AGENTS: remoteAgents.optional(),
});

export type Config = Readonly<z.output<typeof environment>>;

/**
 * The configuration from the environment and a `.env` file; the environment wins, and what is empty counts
 * as unset.
 *
 * @throws ConfigurationError with one line per fault; no line shows the value of a secret
 */
export function readConfig(variables: NodeJS.ProcessEnv, dotEnvPath = '.env'): Config {
  const fromFile = readDotEnv(dotEnvPath);
  // What files of other systems leave at the end of a line is no part of it, wherever it came through.
  const valueOf = (name: string): string | undefined =>
    variables[name]?.trimEnd() || fromFile[name]?.trimEnd() || undefined;
  const given: Record<string, string> = {};
  const faults: string[] = [];
  for (const [name, variable] of Object.entries(environment.shape)) {
    const value = valueOf(name);
    if (value) given[name] = value;
    const path = variable.meta()?.['secret'] ? valueOf(`${name}_FILE`) : undefined;
    if (path === undefined) continue;
    if (value) faults.push(besides(`${name}_FILE`, path, name));
    else
      try {
        given[name] = readFileSync(path, 'utf8').trimEnd();
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        faults.push(`${name}_FILE: got ${JSON.stringify(path)}, takes a file that can be read: ${code}`);
      }
  }
  const parsed = environment.safeParse(given);
  for (const { path, message } of parsed.error?.issues ?? []) {
    const name = String(path[0]);
    faults.push(`${name}: got ${shown(name, given[name] ?? '')}, ${message}`);
  }
  const { API_KEYS: keys, API_KEYS_FILE: keyFile } = given;
  if (keys && keyFile) faults.push(besides('API_KEYS_FILE', keyFile, 'API_KEYS'));
  const host = given['HOST'] ?? '127.0.0.1';
  if (!isLoopback(host) && given['ALLOW_ANONYMOUS'] !== 'true' && !keys && !keyFile) {
    const takes =
      'takes a loopback address such as 127.0.0.1 unless API_KEYS or API_KEYS_FILE says whose keys are asked for, ' +
      'or ALLOW_ANONYMOUS=true lets anybody in';
    faults.push(`HOST: got ${shown('HOST', host)}, ${takes}`);
  }
  faults.push(...faultsOfEmbeddings(given));
  if (!parsed.success || faults.length > 0) throw new ConfigurationError(faults);
  return Object.freeze(parsed.data);
}

const EMBEDDINGS_NEED: Readonly<Record<string, readonly string[]>> = {
  chatgpt: ['OPENAI_API_KEY'],
  gemini: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
  local: ['LOCAL_BASE_URL'],
};

/** A provider of embeddings has to be configured as one of talks is. */
function faultsOfEmbeddings(given: Readonly<Record<string, string>>): string[] {
  const provider = given['EMBEDDINGS_PROVIDER'] ?? '';
  if (given['VECTOR_URL'] && !provider)
    return [
      `VECTOR_URL: got ${shown('VECTOR_URL', given['VECTOR_URL'])}, takes it only with EMBEDDINGS_PROVIDER`,
    ];
  const needed = EMBEDDINGS_NEED[provider];
  if (!needed) return [];
  const got = `EMBEDDINGS_PROVIDER: got ${JSON.stringify(provider)}`;
  if (!needed.some((name) => given[name])) return [`${got}, takes it only with ${needed.join(' or ')}`];
  return provider === 'local' && !given['EMBEDDINGS_MODEL']
    ? [`${got}, takes it only with EMBEDDINGS_MODEL`]
    : [];
}

function besides(name: string, value: string, other: string): string {
  return `${name}: got ${JSON.stringify(value)}, takes nothing where ${other} is set: set one of the two`;
}

/** A value as it may be shown: no key, no password of a URL, and nothing that looks like a key gone astray. */
function shown(name: string, value: string): string {
  if (/_KEYS?$/.test(name)) return 'a value that is not shown';
  const withoutPassword = value.replace(/\/\/[^/]*@/, '//[masked]@');
  return JSON.stringify(createMasker([])(withoutPassword));
}

/** All secrets of a configuration, for the masker; a password also without the URL around it, as ioredis shows it. */
export function secretsOf(config: Config): Secret[] {
  const secrets = Object.values(config).filter((value) => value instanceof Secret);
  const { password } = config.REDIS_URL ? parseRedisUrl(config.REDIS_URL.reveal()) : {};
  const vectors = decodeURIComponent(URL.parse(config.VECTOR_URL?.reveal() ?? '')?.password ?? '');
  return [...secrets, ...[password, vectors].filter(Boolean).map((each) => new Secret(each ?? ''))];
}
