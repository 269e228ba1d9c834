import { ProviderError, type ProviderFailure } from '../conversation/turn/provider.ts';
import { askedByHeaders, numberOf } from './retry-after.ts';

/**
 * Words that vendors use as `code`, `type`, `status`, `error_code` or `reason` of an error and that mean
 * one thing, whatever the HTTP status. Sources: the vendors' error references and the SDKs' type files.
 */
const BY_CODE: Readonly<Record<string, ProviderFailure>> = {
  // OpenAI and those who speak its form (Perplexity, Azure, llama.cpp)
  invalid_api_key: 'authentication',
  model_not_found: 'not_found',
  invalid_model: 'not_found',
  insufficient_quota: 'quota_exhausted',
  billing_hard_limit_reached: 'quota_exhausted',
  billing_not_active: 'quota_exhausted',
  content_filter: 'content_refused',
  content_policy_violation: 'content_refused',
  context_length_exceeded: 'context_too_long',
  exceed_context_size_error: 'context_too_long',
  // Anthropic
  billing_error: 'quota_exhausted',
  contract_spend_limit_reached: 'quota_exhausted',
  enforced_spend_limit_reached: 'quota_exhausted',
  overloaded_error: 'overloaded',
  // Google: the reason in an ErrorInfo
  API_KEY_INVALID: 'authentication',
};

/** Told apart by nothing but their text. */
const BY_MESSAGE: readonly { pattern: RegExp; statuses: readonly number[]; failure: ProviderFailure }[] = [
  {
    // Anthropic's 400, xAI's 403 and 429, Google's 429 for an empty account or a tier without the model
    pattern:
      /credit balance is too low|used all available credits|any credits|credits are depleted|limit: 0\b/i,
    statuses: [400, 403, 429],
    failure: 'quota_exhausted',
  },
  { pattern: /(?:incorrect|invalid) api key/i, statuses: [400], failure: 'authentication' },
  {
    pattern:
      /context (?:length|window|size|limit)|prompt is too long|maximum prompt length|maximum number of tokens/i,
    statuses: [400, 413, 422, 500],
    failure: 'context_too_long',
  },
  { pattern: /content violates/i, statuses: [400, 403], failure: 'content_refused' },
];

/** What an error without a status says in words alone, such as one inside of a stream. */
const BY_WORDS: readonly { pattern: RegExp; failure: ProviderFailure }[] = [
  { pattern: /overloaded|at capacity|temporarily unavailable|try again later/i, failure: 'overloaded' },
  { pattern: /rate limit|too many requests/i, failure: 'rate_limited' },
  {
    pattern: /exceeded your (?:current )?quota|insufficient (?:quota|balance|credits)/i,
    failure: 'quota_exhausted',
  },
  { pattern: /unexpected endpoint|model .{0,100}(?:not found|does not exist)/i, failure: 'not_found' },
];

/** A server that has its model yet to load: llama.cpp, TGI, Ollama. */
const LOADING =
  /\bloading (?:the )?model\b|\bmodel\b.{0,100}\b(?:is|still|currently) (?:being )?load(?:ing|ed)\b/i;
/** How long it is left alone where it doesn't say, in milliseconds. */
const LOADING_MS = 3000;

const BY_STATUS: Readonly<Record<number, ProviderFailure>> = {
  // A redirect, which `fetchStreamed` doesn't follow with a key in hand.
  301: 'not_found',
  302: 'not_found',
  303: 'not_found',
  307: 'not_found',
  308: 'not_found',
  401: 'authentication',
  402: 'quota_exhausted',
  403: 'authentication',
  404: 'not_found',
  408: 'timeout',
  413: 'context_too_long',
  429: 'rate_limited',
  503: 'overloaded',
  529: 'overloaded',
};

/** What an error inside a stream says of itself: it has no HTTP status. */
const BY_TYPE: Readonly<Record<string, ProviderFailure>> = {
  authentication_error: 'authentication',
  permission_error: 'authentication',
  not_found_error: 'not_found',
  rate_limit_error: 'rate_limited',
  rate_limit_exceeded: 'rate_limited',
  timeout_error: 'timeout',
};

/** How Node, undici and the SDKs name a wait that was given up, and a connection that failed. */
const TIMEOUT = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT|\w*TimeoutError)$|timed? ?out/i;
const NETWORK =
  /^(?:E[A-Z_]{4,}|UND_ERR_\w+|APIConnectionError)$|fetch failed|terminated|[Pp]remature close|Error (?:fetching|reading) from/;
const PARSING = /^SyntaxError$|error parsing json|failed to parse stream/i;

const MESSAGE_LIMIT = 500;

/**
 * Turns whatever an SDK threw, or an error object out of a stream, into a ProviderError. Total: what it
 * doesn't know is `malformed`. The message is the vendor's own, masked and cut to 500 characters; headers
 * never get into it, and the thrown object is not kept as the cause, since its text may echo a key.
 */
export function classify(thrown: unknown, mask: (text: string) => string): ProviderError {
  const body = bodyOf(thrown);
  const details = field(body, 'details') ?? field(thrown, 'errorDetails');
  const status = statusOf(thrown) ?? statusOf({ status: field(body, 'code') });
  const chain = causes(thrown);
  const elsewhere = redirectOf(thrown, status);
  const message = elsewhere ?? (body === undefined ? describe(chain) : textOf(body));
  const isLoading = status === 503 && LOADING.test(message);
  return new ProviderError(
    thrown instanceof ProviderError ? thrown.code : failureOf({ status, body, details, chain, message }),
    shown(message || `The vendor answered ${status ?? 'something unexpected'}`, mask),
    {
      status,
      retryAfterMs: retryAfterOf(thrown, status, details) ?? (isLoading ? LOADING_MS : undefined),
      blameless: isLoading ? 'loading' : isOurs(thrown, message) ? 'ours' : undefined,
    },
  );
}

function failureOf(evidence: {
  status: number | undefined;
  body: unknown;
  details: unknown;
  chain: readonly Error[];
  message: string;
}): ProviderFailure {
  const { status, body, details, chain, message } = evidence;
  const codes = [
    ...['code', 'type', 'status'].map((name) => field(body, name)),
    field(details, 'error_code'),
    ...listed(details).map((detail) => field(detail, 'reason')),
  ].filter((code) => typeof code === 'string');
  for (const code of codes) {
    const failure = BY_CODE[code];
    if (failure !== undefined) return failure;
  }
  if (status !== undefined) {
    const quotas = listed(details).flatMap((detail) => listed(field(detail, 'violations')));
    // A quota of the day won't be back within a conversation; one of the minute is a rate.
    if (quotas.some((quota) => /PerDay/.test(String(field(quota, 'quotaId'))))) return 'quota_exhausted';
    const told = BY_MESSAGE.find(
      ({ pattern, statuses }) => statuses.includes(status) && pattern.test(message),
    );
    return told?.failure ?? BY_STATUS[status] ?? (status >= 500 ? 'server_error' : 'bad_request');
  }
  if (body !== undefined) {
    const told = [...BY_MESSAGE, ...BY_WORDS].find(({ pattern }) => pattern.test(message));
    const typed = codes.map((code) => BY_TYPE[code]).find(Boolean) ?? told?.failure;
    // A type that stands for whatever is wrong with a request: the words may say more.
    return typed ?? (codes.includes('invalid_request_error') ? 'bad_request' : 'server_error');
  }
  const names = chain.flatMap((error) => [
    error.constructor.name,
    String(field(error, 'code')),
    error.message,
  ]);
  const says = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (says(PARSING)) return 'malformed';
  if (says(TIMEOUT)) return 'timeout';
  return says(NETWORK) ? 'network' : 'malformed';
}

/** A fault of the code that reads an answer, and none of who wrote it; `fetch` throws its own as TypeErrors. */
function isOurs(thrown: unknown, message: string): boolean {
  const isKind =
    thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError;
  return isKind && thrown.cause === undefined && !NETWORK.test(message);
}

/** The innermost `error` of an answer's body: SDKs and vendors wrap it up to two times. */
function bodyOf(thrown: unknown): unknown {
  let body = field(thrown, 'error');
  while (field(body, 'error') !== undefined) body = field(body, 'error');
  return body ?? undefined;
}

function statusOf(thrown: unknown): number | undefined {
  const status = field(thrown, 'status');
  return typeof status === 'number' && status >= 300 && status < 600 ? status : undefined;
}

/** What to do about a redirect; undefined for any other answer. */
function redirectOf(thrown: unknown, status: number | undefined): string | undefined {
  const headers = field(thrown, 'headers');
  const location = headers instanceof Headers ? headers.get('location') : null;
  if (status === undefined || status >= 400 || location === null) return undefined;
  return `It redirects to ${location} (${status}): if that is where the key may go, set the base URL to it`;
}

function textOf(body: unknown): string {
  const text = typeof body === 'string' ? body : (field(body, 'message') ?? field(body, 'detail'));
  return typeof text === 'string' ? text : JSON.stringify(text ?? body);
}

/** An error and its causes, outermost first. */
function causes(thrown: unknown): Error[] {
  const chain: Error[] = [];
  for (let error = thrown; error instanceof Error && chain.length < 8; error = error.cause) chain.push(error);
  return chain;
}

/** What the outermost error says without the SDKs' decorations, and after it the root of the matter. */
function describe(chain: readonly Error[]): string {
  const outer = (chain[0]?.message ?? '')
    .replace(/^\[GoogleGenerativeAI Error\]: (?:Error fetching from \S+: (?:\[\d+[^\]]*\] )?)?/, '')
    .replace(/ \[\{"@type".*$/s, '')
    .replace(/^\d{3} (?:status code \(no body\))?/, '');
  const root = chain.length > 1 ? chain.at(-1) : undefined;
  // A failed attempt on several addresses has a code and no message.
  const reason = root?.message || field(root, 'code');
  return typeof reason === 'string' ? `${outer} (${reason})` : outer;
}

/** Masked before it is cut, so that no half of a key is left. */
function shown(message: string, mask: (text: string) => string): string {
  const text = /^\s*</.test(message)
    ? 'The vendor answered with a web page instead of an API error'
    : message;
  return mask(text).replace(/\s+/g, ' ').trim().slice(0, MESSAGE_LIMIT).toWellFormed();
}

/** From the headers, or Google's RetryInfo (`"37.5s"`), which stands in the body. */
function retryAfterOf(thrown: unknown, status: number | undefined, details: unknown): number | undefined {
  if (thrown instanceof ProviderError) return thrown.retryAfterMs;
  const headers = field(thrown, 'headers');
  const asked = headers instanceof Headers ? askedByHeaders(headers, status, Date.now()) : undefined;
  const delays = listed(details).map((detail) =>
    numberOf(String(field(detail, 'retryDelay')).replace(/s$/, '')),
  );
  const seconds = delays.find((delay) => delay >= 0);
  return asked ?? (seconds === undefined ? undefined : Math.round(seconds * 1000));
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
