import type { Config } from '../config/config.ts';
import type { VendorId, VendorSettings } from './catalog.ts';

/** What the configuration says of each vendor. */
export function vendorSettings(config: Config): Record<VendorId, VendorSettings> {
  return {
    claude: {
      apiKey: config.ANTHROPIC_API_KEY,
      baseUrl: config.ANTHROPIC_BASE_URL,
      defaultModel: config.CLAUDE_MODEL,
    },
    chatgpt: {
      apiKey: config.OPENAI_API_KEY,
      baseUrl: config.OPENAI_BASE_URL,
      defaultModel: config.CHATGPT_MODEL,
    },
    gemini: {
      apiKey: config.GOOGLE_API_KEY ?? config.GEMINI_API_KEY,
      baseUrl: config.GEMINI_BASE_URL,
      defaultModel: config.GEMINI_MODEL,
    },
    grok: { apiKey: config.XAI_API_KEY, baseUrl: config.XAI_BASE_URL, defaultModel: config.GROK_MODEL },
    perplexity: {
      apiKey: config.PERPLEXITY_API_KEY,
      baseUrl: config.PERPLEXITY_BASE_URL,
      defaultModel: config.PERPLEXITY_MODEL,
    },
    local: { apiKey: config.LOCAL_API_KEY, baseUrl: config.LOCAL_BASE_URL, defaultModel: config.LOCAL_MODEL },
  };
}
