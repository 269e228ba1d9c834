/** A kind of token that is known by how it begins. */
interface TokenPattern {
  kind: string;
  /** One of these stands in front, with neither a letter nor a digit before it. */
  begins: readonly string[];
  /** What follows, as the source of a pattern that never has to go back more than a little. */
  body: string;
}

const WORD = String.raw`[\w-]`;
const ALNUM = '[A-Za-z0-9]';

/**
 * Tokens of vendors, by their own documentation and by what secret scanners look for. The more particular stands
 * first where two begin alike.
 */
export const TOKEN_PATTERNS: readonly TokenPattern[] = [
  { kind: 'anthropic_key', begins: ['sk-ant-'], body: `${WORD}{16,}` },
  { kind: 'openrouter_key', begins: ['sk-or-'], body: `${WORD}{20,}` },
  {
    kind: 'openai_key',
    begins: ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-None-', 'sess-'],
    body: `${WORD}{20,}`,
  },
  { kind: 'langfuse_key', begins: ['sk-lf-'], body: `${WORD}{20,}` },
  { kind: 'openai_key', begins: ['sk-'], body: `${ALNUM}{20,}` },
  { kind: 'google_key', begins: ['AIza'], body: `${WORD}{30,}` },
  { kind: 'google_oauth_token', begins: ['ya29.', 'GOCSPX-'], body: `${WORD}{20,}` },
  { kind: 'xai_key', begins: ['xai-'], body: `${ALNUM}{20,}` },
  { kind: 'perplexity_key', begins: ['pplx-'], body: `${ALNUM}{20,}` },
  { kind: 'groq_key', begins: ['gsk_'], body: `${ALNUM}{20,}` },
  { kind: 'replicate_token', begins: ['r8_'], body: `${ALNUM}{30,}` },
  { kind: 'huggingface_token', begins: ['hf_'], body: `${ALNUM}{30,}` },
  { kind: 'github_token', begins: ['github_pat_'], body: String.raw`\w{20,}` },
  { kind: 'github_token', begins: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], body: `${ALNUM}{30,}` },
  {
    kind: 'gitlab_token',
    begins: [
      'glpat-',
      'gldt-',
      'glrt-',
      'glcbt-',
      'glptt-',
      'glft-',
      'glsoat-',
      'glimt-',
      'glagent-',
      'gloas-',
    ],
    body: String.raw`[\w.-]{20,}`,
  },
  {
    kind: 'slack_token',
    begins: [
      'xoxb-',
      'xoxp-',
      'xoxa-',
      'xoxo-',
      'xoxr-',
      'xoxs-',
      'xoxe-',
      'xoxe.',
      'xoxc-',
      'xoxd-',
      'xapp-',
    ],
    body: String.raw`[\w%.-]{10,}`,
  },
  {
    kind: 'aws_access_key',
    begins: ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    body: '[A-Z0-9]{16}(?![A-Za-z0-9])',
  },
  { kind: 'aws_bedrock_key', begins: ['ABSK'], body: '[A-Za-z0-9+/]{80,}={0,2}' },
  {
    kind: 'stripe_key',
    begins: ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'sk_prod_', 'rk_prod_'],
    body: `${ALNUM}{10,}`,
  },
  { kind: 'webhook_secret', begins: ['whsec_'], body: '[A-Za-z0-9+/_-]{20,}={0,2}' },
  { kind: 'elevenlabs_key', begins: ['sk_'], body: '[a-f0-9]{40,}' },
  { kind: 'sendgrid_key', begins: ['SG.'], body: String.raw`[\w-]{16,}\.[\w-]{16,}` },
  { kind: 'npm_token', begins: ['npm_'], body: `${ALNUM}{30,}` },
  { kind: 'pypi_token', begins: ['pypi-'], body: `${WORD}{50,}` },
  { kind: 'docker_token', begins: ['dckr_pat_', 'dckr_oat_'], body: `${WORD}{20,}` },
  { kind: 'shopify_token', begins: ['shpat_', 'shpss_', 'shpca_', 'shppa_'], body: '[a-fA-F0-9]{30,}' },
  { kind: 'square_token', begins: ['sq0atp-', 'sq0csp-'], body: `${WORD}{20,}` },
  { kind: 'databricks_token', begins: ['dapi'], body: '[a-f0-9]{32}(?:-\\d)?(?![A-Za-z0-9])' },
  { kind: 'grafana_token', begins: ['glsa_', 'glc_'], body: String.raw`[\w+/=]{20,}` },
  { kind: 'newrelic_key', begins: ['NRAK-', 'NRJS-', 'NRII-'], body: `${WORD}{15,}` },
  { kind: 'sentry_token', begins: ['sntrys_', 'sntryu_'], body: String.raw`[\w+/=]{30,}` },
  { kind: 'vault_token', begins: ['hvs.', 'hvb.', 'hvr.'], body: `${WORD}{20,}` },
  { kind: 'doppler_token', begins: ['dp.pt.', 'dp.st.', 'dp.ct.', 'dp.sa.'], body: String.raw`[\w.-]{30,}` },
  { kind: 'linear_key', begins: ['lin_api_', 'lin_oauth_'], body: `${ALNUM}{30,}` },
  { kind: 'notion_token', begins: ['ntn_'], body: `${ALNUM}{40,}` },
  { kind: 'figma_token', begins: ['figd_', 'figo_'], body: `${WORD}{20,}` },
  { kind: 'postman_key', begins: ['PMAK-'], body: '[a-f0-9]{24}-[a-f0-9]{34}' },
  { kind: 'pulumi_token', begins: ['pul-'], body: '[a-f0-9]{40}(?![A-Za-z0-9])' },
  { kind: 'supabase_key', begins: ['sbp_', 'sb_secret_'], body: `${WORD}{20,}` },
  { kind: 'pinecone_key', begins: ['pcsk_'], body: String.raw`\w{30,}` },
  { kind: 'langsmith_key', begins: ['lsv2_pt_', 'lsv2_sk_'], body: String.raw`\w{30,}` },
  { kind: 'tavily_key', begins: ['tvly-'], body: `${WORD}{20,}` },
  { kind: 'nvidia_key', begins: ['nvapi-'], body: `${WORD}{40,}` },
  { kind: 'cloudflare_token', begins: ['v1.0-'], body: '[a-f0-9]{24}-[a-f0-9]{100,}' },
  { kind: 'twilio_key', begins: ['SK'], body: '[a-f0-9]{32}(?![A-Za-z0-9])' },
  { kind: 'fly_token', begins: ['fo1_', 'fm1_', 'fm2_'], body: String.raw`[\w+/=,-]{40,}` },
  { kind: 'age_key', begins: ['AGE-SECRET-KEY-1'], body: '[A-Z0-9]{50,}' },
  // https://www.rfc-editor.org/rfc/rfc7519: a header and claims, which are JSON, and a signature that may be empty
  { kind: 'jwt', begins: ['eyJ'], body: String.raw`[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){1,3}` },
];

/** In every text with one of these tokens one of these stands: a quick look that spares most texts the slow one. */
export const TOKEN_HINT = /[_-]|AIza|A[KSB]IA|ACCA|ABSK|SG\.|ya29|hv[sbr]\.|dp\.|dapi|eyJ|SK[a-f0-9]|xoxe/;

/** The source of a pattern for all of them, with the place of the kind in the table as the number of its group. */
export const TOKEN_SOURCE = `(?<![A-Za-z0-9])(?:${TOKEN_PATTERNS.map(
  ({ begins, body }) => `((?:${begins.map(literally).join('|')})${body})`,
).join('|')})`;

/** The source of a pattern for one of the beginnings. */
export function literally(begin: string): string {
  return begin.replaceAll('.', '\\.');
}

/**
 * Tokens that are known by what stands in front of them, which is no secret: so that no plain word has to be held back
 * that may begin like it. `hint` is the source of a plainer pattern that each of them holds.
 */
export const BEHIND_PATTERNS: readonly { kind: string; hint: string; before: string; body: string }[] = [
  {
    kind: 'webhook_url',
    hint: String.raw`hooks\.slack\.com`,
    before: String.raw`hooks\.slack\.com\/(?:services|workflows|triggers)\/`,
    body: String.raw`[\w/]{20,}`,
  },
  {
    kind: 'webhook_url',
    hint: 'discord',
    before: String.raw`discord(?:app)?\.com\/api\/webhooks\/\d{15,22}\/`,
    body: `${WORD}{40,}`,
  },
  {
    kind: 'telegram_token',
    hint: String.raw`api\.telegram\.org`,
    before: String.raw`\bapi\.telegram\.org\/bot`,
    body: String.raw`\d{6,12}:[\w-]{30,}`,
  },
  { kind: 'telegram_token', hint: ':AA', before: String.raw`\b\d{8,10}:`, body: String.raw`AA[\w-]{30,}` },
  { kind: 'rubygems_key', hint: 'rubygems_', before: String.raw`\brubygems_`, body: '[a-f0-9]{40,}' },
  { kind: 'digitalocean_token', hint: '_v1_', before: String.raw`\bdo[opr]_v1_`, body: '[a-f0-9]{40,}' },
  {
    kind: 'terraform_token',
    hint: 'atlasv1',
    before: String.raw`\.atlasv1\.`,
    body: String.raw`[\w=-]{40,}`,
  },
  {
    kind: 'airtable_token',
    hint: String.raw`pat[A-Za-z0-9]{14}\.`,
    before: String.raw`\bpat[A-Za-z0-9]{14}\.`,
    body: '[a-f0-9]{64}',
  },
  { kind: 'notion_token', hint: 'secret_', before: String.raw`\bsecret_`, body: `${ALNUM}{40,}` },
  { kind: 'mailgun_key', hint: 'key-', before: String.raw`\bkey-`, body: '[a-f0-9]{32}(?![A-Za-z0-9])' },
  { kind: 'api_key', hint: 'aic_', before: String.raw`\baic_`, body: `${WORD}{40,}` },
];

/** In every text with one of these stands one of these, which a look finds ten times as fast as what is behind them. */
export const BEHIND_TOKEN_HINT = new RegExp(BEHIND_PATTERNS.map(({ hint }) => hint).join('|'));

/** The source of a pattern for all of them, as above. */
export const BEHIND_SOURCE = BEHIND_PATTERNS.map(({ before, body }) => `(?<=${before})(${body})`).join('|');
