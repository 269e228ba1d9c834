import type { RemoteAgents } from '../config/a2a-agents.ts';
import type { RosterEntry } from '../conversation/log/settings.ts';
import type { Provider } from '../conversation/turn/provider.ts';
import { EMBEDDED_MODELS, embeddedProvider } from '../embedded-pair/provider.ts';
import type { Secret } from '../security/secrets.ts';
import type { OPENAI_DIALECTS } from './openai.ts';

/** What the configuration says of one vendor. */
export interface VendorSettings {
  apiKey: Secret | undefined;
  baseUrl: string | undefined;
  defaultModel: string | undefined;
}

export type VendorId = 'claude' | 'chatgpt' | 'gemini' | 'grok' | 'perplexity' | 'local';

interface Vendor {
  displayName: string;
  /** What configures it, as people are told. */
  hint: string;
  /** Where the configuration names none; undefined where only the configuration can know. */
  defaultModel: string | undefined;
  isConfigured: (settings: VendorSettings) => boolean;
  /** Loads the vendor's SDK, which takes a tenth of a second: nobody waits for one that isn't configured. */
  create: (settings: VendorSettings, mask: (text: string) => string) => Promise<Provider>;
}

const hasKey = ({ apiKey }: VendorSettings): boolean => apiKey !== undefined;

function openAiLike(dialect: keyof typeof OPENAI_DIALECTS): Vendor['create'] {
  return async ({ apiKey, baseUrl }, mask) => {
    const { OPENAI_DIALECTS, openAiProvider } = await import('./openai.ts');
    return openAiProvider({ apiKey: apiKey?.reveal(), baseUrl, mask, dialect: OPENAI_DIALECTS[dialect] });
  };
}

/** The vendors in the order in which a conversation without agents takes them; docs/protocol.md, section 5. */
const VENDORS: Record<VendorId, Vendor> = {
  claude: {
    displayName: 'Claude',
    hint: 'set ANTHROPIC_API_KEY',
    defaultModel: 'claude-sonnet-5-5',
    isConfigured: hasKey,
    create: async ({ apiKey, baseUrl }, mask) => {
      const { anthropicProvider } = await import('./anthropic.ts');
      return anthropicProvider({ apiKey: apiKey?.reveal(), baseUrl, mask });
    },
  },
  chatgpt: {
    displayName: 'ChatGPT',
    hint: 'set OPENAI_API_KEY',
    defaultModel: 'gpt-5.5',
    isConfigured: hasKey,
    create: openAiLike('chatgpt'),
  },
  gemini: {
    displayName: 'Gemini',
    hint: 'set GOOGLE_API_KEY or GEMINI_API_KEY',
    defaultModel: 'gemini-3.8-flash',
    isConfigured: hasKey,
    create: async ({ apiKey, baseUrl }, mask) => {
      const { geminiProvider } = await import('./gemini.ts');
      return geminiProvider({ apiKey: apiKey?.reveal(), baseUrl, mask });
    },
  },
  grok: {
    displayName: 'Grok',
    hint: 'set XAI_API_KEY',
    defaultModel: 'grok-4.5',
    isConfigured: hasKey,
    create: openAiLike('grok'),
  },
  perplexity: {
    displayName: 'Perplexity',
    hint: 'set PERPLEXITY_API_KEY',
    defaultModel: 'sonar',
    isConfigured: hasKey,
    create: openAiLike('perplexity'),
  },
  local: {
    displayName: 'Local',
    hint: 'set LOCAL_BASE_URL, such as http://127.0.0.1:11434/v1 for Ollama',
    defaultModel: undefined,
    isConfigured: ({ baseUrl }) => baseUrl !== undefined,
    create: openAiLike('local'),
  },
};

/** The providers of a configuration: who there is, and those that can play an agent. */
export interface ProviderCatalog {
  roster: readonly RosterEntry[];
  /** Those that are known by name, as pairs of provider and model. */
  models: readonly [provider: string, model: string][];
  /** Undefined where it is not configured. */
  find: (id: string) => Provider | undefined;
}

export async function createProviders(
  settings: Record<VendorId, VendorSettings>,
  embedded: { tokenDelayMs: number },
  agents: RemoteAgents,
  mask: (text: string) => string,
): Promise<ProviderCatalog> {
  const providers = new Map<string, Provider>([['embedded', embeddedProvider(embedded)]]);
  const roster: RosterEntry[] = [];
  const models = EMBEDDED_MODELS.map((model): [string, string] => ['embedded', model]);
  for (const [id, vendor] of Object.entries(VENDORS) as [VendorId, Vendor][]) {
    const configured = vendor.isConfigured(settings[id]);
    const defaultModel = settings[id].defaultModel ?? vendor.defaultModel;
    for (const model of [settings[id].defaultModel, vendor.defaultModel]) models.push([id, model ?? '']);
    if (configured) providers.set(id, await vendor.create(settings[id], mask));
    roster.push({
      id,
      displayName: () => vendor.displayName,
      configured,
      hint: vendor.hint,
      defaultModels: defaultModel === undefined ? [] : [defaultModel],
      models: undefined,
      embedded: false,
    });
  }
  const agentNames = Object.keys(agents);
  if (agentNames.length > 0) {
    const { a2aProvider } = await import('./a2a/provider.ts');
    providers.set('a2a', a2aProvider({ agents, mask }));
  }
  for (const name of agentNames) models.push(['a2a', name]);
  roster.push({
    id: 'a2a',
    displayName: (name) => name,
    configured: agentNames.length > 0,
    hint: 'set A2A_AGENTS, such as {"weather": "https://agents.example.com/weather"}',
    defaultModels: agentNames,
    models: agentNames.length > 0 ? agentNames : undefined,
    embedded: false,
    remote: true,
  });
  roster.push({
    id: 'embedded',
    displayName: (model) => (model === 'parry' ? 'Parry' : 'Eliza'),
    configured: true,
    hint: 'it needs nothing',
    defaultModels: EMBEDDED_MODELS,
    models: EMBEDDED_MODELS,
    embedded: true,
  });
  roster.push({
    id: 'human',
    displayName: () => 'Human',
    configured: true,
    hint: 'it needs nothing',
    defaultModels: [],
    models: [],
    embedded: false,
    person: true,
  });
  return { roster, models, find: (id) => providers.get(id) };
}
