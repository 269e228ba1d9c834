import type { Config } from '../config/config.ts';
import type { Secret } from '../security/secrets.ts';
import { type Finding, fault, ok, unknown } from './findings.ts';

/** For an answer, in milliseconds. */
const PATIENCE_MS = 10_000;

interface Vendor {
  id: string;
  /** The variable that has the key. */
  variable: string;
  key: Secret | undefined;
  /** Lists models: it needs the key, and costs nothing. */
  url: string;
  headers: (key: string) => Record<string, string>;
}

/** What a vendor answered. */
export interface VendorAnswer {
  finding: Finding;
  /** The vendor's clock less this one's, in milliseconds; undefined where it told no time. */
  clockDifferenceMs: number | undefined;
}

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const base = (url: string | undefined, own: string): string => (url ?? own).replace(/\/+$/, '');

/** The vendors that are configured, each asked for its models. */
export function askVendors(config: Config, fetch = globalThis.fetch): Promise<VendorAnswer[]> {
  return Promise.all(configured(config).map((vendor) => ask(vendor, fetch)));
}

function configured(config: Config): Vendor[] {
  const vendors: Vendor[] = [
    {
      id: 'claude',
      variable: 'ANTHROPIC_API_KEY',
      key: config.ANTHROPIC_API_KEY,
      url: `${base(config.ANTHROPIC_BASE_URL, 'https://api.anthropic.com')}/v1/models?limit=1`,
      headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    },
    {
      id: 'chatgpt',
      variable: 'OPENAI_API_KEY',
      key: config.OPENAI_API_KEY,
      url: `${base(config.OPENAI_BASE_URL, 'https://api.openai.com/v1')}/models`,
      headers: bearer,
    },
    {
      id: 'gemini',
      variable: config.GOOGLE_API_KEY ? 'GOOGLE_API_KEY' : 'GEMINI_API_KEY',
      key: config.GOOGLE_API_KEY ?? config.GEMINI_API_KEY,
      url: `${base(config.GEMINI_BASE_URL, 'https://generativelanguage.googleapis.com')}/v1beta/models?pageSize=1`,
      headers: (key) => ({ 'x-goog-api-key': key }),
    },
    {
      id: 'grok',
      variable: 'XAI_API_KEY',
      key: config.XAI_API_KEY,
      url: `${base(config.XAI_BASE_URL, 'https://api.x.ai/v1')}/models`,
      headers: bearer,
    },
    {
      id: 'perplexity',
      variable: 'PERPLEXITY_API_KEY',
      key: config.PERPLEXITY_API_KEY,
      url: `${base(config.PERPLEXITY_BASE_URL, 'https://api.perplexity.ai')}/models`,
      headers: bearer,
    },
  ];
  const withKeys = vendors.filter(({ key }) => key !== undefined);
  const { LOCAL_BASE_URL, LOCAL_API_KEY } = config;
  if (LOCAL_BASE_URL === undefined) return withKeys;
  const headers = (key: string): Record<string, string> => (key === '' ? {} : bearer(key));
  const url = `${base(LOCAL_BASE_URL, '')}/models`;
  return [...withKeys, { id: 'local', variable: 'LOCAL_BASE_URL', key: LOCAL_API_KEY, url, headers }];
}

async function ask(vendor: Vendor, fetch: typeof globalThis.fetch): Promise<VendorAnswer> {
  const { id, variable, key, url, headers } = vendor;
  const name = `key of ${id}`;
  const { host } = new URL(url);
  try {
    const response = await fetch(url, {
      headers: headers(key?.reveal() ?? ''),
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.body?.cancel();
    const clockDifferenceMs = Date.parse(response.headers.get('date') ?? '') - Date.now();
    const told = Number.isNaN(clockDifferenceMs) ? undefined : clockDifferenceMs;
    return { finding: judge(name, variable, host, response.status), clockDifferenceMs: told };
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    const finding = fault(
      name,
      `${host} does not answer: ${why}`,
      'look at the network, a proxy, or the base URL',
    );
    return { finding, clockDifferenceMs: undefined };
  }
}

function judge(name: string, variable: string, host: string, status: number): Finding {
  if (status >= 200 && status < 300) return ok(name, `${host} takes it`);
  if (status === 400 || status === 401 || status === 403) {
    return fault(name, `${host} refuses it (${status})`, `set ${variable} to a key that is in force`);
  }
  if (status === 429) return ok(name, `${host} takes it, and has no room at the moment (429)`);
  return unknown(name, `${host} answers ${status}, which says nothing of the key`);
}
