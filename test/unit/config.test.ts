import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig, secretsOf } from '../../src/config/config.ts';
import { ConfigurationError } from '../../src/config/configuration-error.ts';
import { openTelemetryVariables } from '../../src/config/dot-env.ts';
import { failToStart, temporaryFolder } from '../fixtures/server.ts';

const NO_FILE = '/nonexistent/.env';

function faultsOf(variables: Record<string, string>, dotEnvPath = NO_FILE): readonly string[] {
  try {
    readConfig(variables, dotEnvPath);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

function dotEnv(content: string | Buffer): string {
  const path = join(temporaryFolder(), '.env');
  writeFileSync(path, content);
  return path;
}

const WHOLE: Record<string, [minimum: number, maximum: number]> = {
  PORT: [0, 65_535],
  DEFAULT_MAX_TURNS: [1, 10_000],
  MAX_CONTEXT_MSGS: [1, 100],
  MAX_TOKENS: [1, 32_000],
  MAX_MESSAGE_LENGTH: [1, 1_000_000],
  MAX_CONSECUTIVE_SIMILAR: [1, 10],
  MAX_ACTIVE_CONVERSATIONS: [1, 1_000_000],
  EMBEDDED_TOKEN_DELAY_MS: [0, 60_000],
};
const DECIMAL: Record<string, [takes: string, wrong: string[]]> = {
  TEMPERATURE: ['takes a number from 0 to 2', ['-0.1', '2.01', 'warm', '1e0', 'NaN', '0x1']],
  SIMILARITY_THRESHOLD: ['takes a number above 0 up to 1', ['0', '0.0', '1.01', '-1', '85%']],
  DEFAULT_TIMEOUT_MINUTES: [
    'takes minutes from 1/60 (a second) to 1440 (a day)',
    ['0', '1441', '0.01', 'Infinity', '30m'],
  ],
};
const URLS = [
  ...['ANTHROPIC', 'OPENAI', 'GEMINI', 'XAI', 'PERPLEXITY', 'LOCAL'].map((name) => `${name}_BASE_URL`),
  'OTEL_EXPORTER_OTLP_ENDPOINT',
];
const KEYS = ['ANTHROPIC', 'OPENAI', 'GOOGLE', 'GEMINI', 'XAI', 'PERPLEXITY', 'LOCAL'].map(
  (name) => `${name}_API_KEY`,
);

/** A variable, a wrong value, and what it takes. */
const WRONG: [name: string, value: string, takes: string][] = [
  ...Object.entries(WHOLE).flatMap(([name, [minimum, maximum]]) =>
    [String(minimum - 1), String(maximum + 1), '1.5', 'many', '1e3', ' 1', '9'.repeat(30)].map(
      (value): [string, string, string] => [
        name,
        value,
        `takes a whole number from ${minimum} to ${maximum}`,
      ],
    ),
  ),
  ...Object.entries(DECIMAL).flatMap(([name, [takes, values]]) =>
    values.map((value): [string, string, string] => [name, value, takes]),
  ),
  ...URLS.flatMap((name) =>
    ['localhost:11434', 'ftp://127.0.0.1/', '/v1', 'http//x'].map((value): [string, string, string] => [
      name,
      value,
      'takes a URL with http or https',
    ]),
  ),
  ['LOG_LEVEL', 'loud', 'takes one of trace, debug, info, warn, error, fatal, silent'],
  ['LOG_LEVEL', 'INFO', 'takes one of trace, debug, info, warn, error, fatal, silent'],
  ['ALLOW_ANONYMOUS', 'yes', 'takes true or false'],
  ...['talks.example:8080', 'http://talks.example', 'a b', '*.example', 'ä.example'].map(
    (value): [string, string, string] => [
      'ALLOWED_HOSTS',
      value,
      'takes names without ports, with commas between them, or * for any',
    ],
  ),
  ...[
    'app.example',
    'https://app.example/',
    'https://app.example/path',
    '*',
    'ftp://app.example',
    'null',
  ].map((value): [string, string, string] => [
    'ALLOWED_ORIGINS',
    value,
    'takes origins such as https://app.example.com, with commas between them',
  ]),
  ...[
    [
      'http://agent/',
      'takes a JSON object of names and addresses, such as {"weather": "https://agents.example.com/weather"}',
    ],
    [
      '[]',
      'takes a JSON object of names and addresses, such as {"weather": "https://agents.example.com/weather"}',
    ],
    ['{"a":1}', 'takes an address as a text: see "a"'],
    ['{"a":"ftp://x"}', 'takes addresses with http or https, without a user, a query or a fragment: see "a"'],
    [
      '{"a":"agent:80"}',
      'takes addresses with http or https, without a user, a query or a fragment: see "a"',
    ],
    [
      '{"a":"http://x/?y"}',
      'takes addresses with http or https, without a user, a query or a fragment: see "a"',
    ],
    [
      '{"a=b":"http://x"}',
      'takes names of up to 64 letters, digits, spaces, dots, hyphens and underscores: see "a=b"',
    ],
    [
      '{"":"http://x"}',
      'takes names of up to 64 letters, digits, spaces, dots, hyphens and underscores: see ""',
    ],
    ['{"Moderator":"http://x"}', 'takes other names than that of the moderator: see "Moderator"'],
  ].map(([value = '', takes = '']): [string, string, string] => ['A2A_AGENTS', value, takes]),
];

describe('6: a wrong value', () => {
  it.each(WRONG)('%s=%s is named with what it got and what it takes', (name, value, takes) => {
    expect(faultsOf({ [name]: value })).toEqual([`${name}: got ${JSON.stringify(value)}, ${takes}`]);
  });

  it.each(KEYS)('of %s is not shown', (name) => {
    for (const value of ['hunter two', 'schlüssel', 'a\nb']) {
      const takes = 'takes printable ASCII without spaces';
      expect(faultsOf({ [name]: value })).toEqual([`${name}: got a value that is not shown, ${takes}`]);
    }
  });

  it.each([
    ['REDIS_URL', 'redis://:hunter2@host:99999'],
    ['LOCAL_BASE_URL', 'ftp://ada:hunter2@example.org/'],
    ['A2A_AGENTS', '{"a":"https://ada:hunter2@example.org/"}'],
    ['PORT', 'sk-ant-hunter2-hunter2'],
    ['HOST', 'xai-hunter2-hunter2'],
  ])('of %s shows no secret that it holds', (name, value) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toEqual([expect.stringMatching(`^${name}: got .*\\[masked\\]`)]);
    expect(faults.join()).not.toContain('hunter2');
  });

  it('does not hide the others: one line each', () => {
    const faults = faultsOf({ PORT: 'x', LOG_LEVEL: 'x', TEMPERATURE: 'x', HOST: '0.0.0.0' });
    expect(new Set(faults.map((fault) => fault.split(':')[0]))).toEqual(
      new Set(['HOST', 'LOG_LEVEL', 'PORT', 'TEMPERATURE']),
    );
    expect(faults).toHaveLength(4);
    for (const fault of faults) expect(fault).not.toContain('\n');
  });

  it('ends the process with 1 and exactly these lines on standard error', async () => {
    const { code, errors, output } = await failToStart({ PORT: '70000', XAI_API_KEY: 'hunter two' });
    expect({ code, output, lines: errors.trimEnd().split('\n').sort() }).toEqual({
      code: 1,
      output: '',
      lines: [
        'PORT: got "70000", takes a whole number from 0 to 65535',
        'XAI_API_KEY: got a value that is not shown, takes printable ASCII without spaces',
      ],
    });
  });
});

describe('6: the configuration', () => {
  it('has the defaults of the protocol', () => {
    expect(readConfig({}, NO_FILE)).toMatchObject({
      HOST: '127.0.0.1',
      ALLOW_ANONYMOUS: false,
      ALLOWED_HOSTS: [],
      ALLOWED_ORIGINS: [],
      PORT: 8080,
      DATA_DIR: './data',
      LOG_LEVEL: 'info',
      DEFAULT_MAX_TURNS: 50,
      DEFAULT_TIMEOUT_MINUTES: 30,
      MAX_CONTEXT_MSGS: 10,
      TEMPERATURE: 0.7,
      MAX_TOKENS: 1024,
      MAX_MESSAGE_LENGTH: 100_000,
      SIMILARITY_THRESHOLD: 0.85,
      MAX_CONSECUTIVE_SIMILAR: 2,
      MAX_ACTIVE_CONVERSATIONS: 10_000,
      EMBEDDED_TOKEN_DELAY_MS: 30,
    });
  });

  it('takes the limits themselves', () => {
    for (const [name, limits] of Object.entries(WHOLE)) {
      for (const limit of limits)
        expect(readConfig({ [name]: String(limit) }, NO_FILE)).toMatchObject({ [name]: limit });
    }
    const decimals = { TEMPERATURE: '2', SIMILARITY_THRESHOLD: '.001', DEFAULT_TIMEOUT_MINUTES: '0.05' };
    expect(readConfig(decimals, NO_FILE)).toMatchObject({
      TEMPERATURE: 2,
      SIMILARITY_THRESHOLD: 0.001,
      DEFAULT_TIMEOUT_MINUTES: 0.05,
    });
  });

  it('13.3: takes remote agents by their names, in their order', () => {
    const A2A_AGENTS = '{"The Oracle":"https://o.example/a2a","wetter-süd.2":"http://127.0.0.1:9"}';
    const { A2A_AGENTS: agents } = readConfig({ A2A_AGENTS }, NO_FILE);
    expect(Object.entries(agents ?? {})).toEqual([
      ['The Oracle', 'https://o.example/a2a'],
      ['wetter-süd.2', 'http://127.0.0.1:9'],
    ]);
  });

  it('8.1, 8.2: takes lists of names and origins', () => {
    const lists = {
      ALLOWED_HOSTS: 'Talks.Example, app_2,10.0.0.7,[2001:db8::7],fe80::1,*,',
      ALLOWED_ORIGINS: 'https://App.example,http://localhost:3000, http://[::1]:3000',
    };
    expect(readConfig(lists, NO_FILE)).toMatchObject({
      ALLOWED_HOSTS: ['talks.example', 'app_2', '10.0.0.7', '[2001:db8::7]', 'fe80::1', '*'],
      ALLOWED_ORIGINS: ['https://app.example', 'http://localhost:3000', 'http://[::1]:3000'],
    });
  });

  it('takes an empty value for an unset one', () => {
    const names = [
      'ALLOWED_HOSTS',
      'ALLOWED_ORIGINS',
      ...Object.keys(WHOLE),
      ...Object.keys(DECIMAL),
      ...URLS,
      ...KEYS,
      'HOST',
      'LOG_LEVEL',
      'REDIS_URL',
    ];
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    expect(readConfig(empty, NO_FILE)).toEqual(readConfig({}, NO_FILE));
  });

  it('is read from .env too, and the environment wins, unless it is empty', () => {
    const path = dotEnv(
      '# ours\nPORT=9001\nTEMPERATURE="0.1"\nLOG_LEVEL=warn\nXAI_API_KEY=\nSOMEBODY=else\n',
    );
    expect(readConfig({ PORT: '9002', LOG_LEVEL: '' }, path)).toMatchObject({
      PORT: 9002,
      TEMPERATURE: 0.1,
      LOG_LEVEL: 'warn',
    });
    expect(readConfig({}, path).XAI_API_KEY).toBeUndefined();
    expect(faultsOf({}, dotEnv('PORT=x'))).toEqual(['PORT: got "x", takes a whole number from 0 to 65535']);
  });

  const LINES = 'LOG_LEVEL=warn\nPORT=9001\nXAI_API_KEY=key-of-grok\nGROK_MODEL="grök"\n';
  const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
  it.each([
    ['UTF-8', Buffer.from(LINES)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${LINES}`)],
    ['UTF-16', utf16(`\ufeff${LINES}`)],
    ['UTF-16 with the other byte first', utf16(`\ufeff${LINES}`).swap16()],
    ['lines that end as on Windows', Buffer.from(LINES.replaceAll('\n', '\r\n'))],
    ['lines that end as on old Macs', Buffer.from(LINES.replaceAll('\n', '\r'))],
    ['blanks at the end of its lines', Buffer.from(LINES.replaceAll('\n', ' \t \n'))],
  ])('reads a .env in %s', (_name, content) => {
    const { LOG_LEVEL, PORT, XAI_API_KEY, GROK_MODEL } = readConfig({}, dotEnv(content));
    expect({ LOG_LEVEL, PORT, GROK_MODEL }).toEqual({ LOG_LEVEL: 'warn', PORT: 9001, GROK_MODEL: 'grök' });
    expect(XAI_API_KEY?.reveal()).toBe('key-of-grok');
  });

  it.each([
    ['UTF-16 without a mark', utf16(LINES)],
    ['Latin-1', Buffer.from(LINES, 'latin1')],
    ['no text', Buffer.from([0, 1, 2, 3])],
  ])('refuses a .env in %s with one line', (_name, content) => {
    const path = dotEnv(content);
    expect(faultsOf({}, path)).toEqual([
      `${path}: is neither UTF-8 nor UTF-16 with a mark; save it as UTF-8`,
    ]);
  });

  it('takes blanks at the end of a variable for no part of it, as Docker reads them from a file', () => {
    const { PORT, XAI_API_KEY, TEMPERATURE } = readConfig(
      { PORT: '9001\r', XAI_API_KEY: 'key-of-grok \r\n', TEMPERATURE: ' \r' },
      NO_FILE,
    );
    expect([PORT, XAI_API_KEY?.reveal(), TEMPERATURE]).toEqual([9001, 'key-of-grok', 0.7]);
  });

  it('says so where .env can’t be read', () => {
    const folder = temporaryFolder();
    expect(faultsOf({}, folder)).toEqual([`${folder}: can't be read: EISDIR`]);
  });

  it('8.1: opens no door to strangers unless it is told to', () => {
    for (const HOST of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) {
      expect(readConfig({ HOST }, NO_FILE).HOST).toBe(HOST);
    }
    for (const HOST of ['0.0.0.0', '::', '192.168.1.4', 'example.org', '127.evil.example']) {
      expect(faultsOf({ HOST })).toEqual([
        expect.stringMatching(`^HOST: got "${HOST}", takes a loopback address`),
      ]);
      expect(faultsOf({ HOST, ALLOW_ANONYMOUS: 'false' })).toHaveLength(1);
      expect(readConfig({ HOST, ALLOW_ANONYMOUS: 'true' }, NO_FILE).HOST).toBe(HOST);
    }
  });

  it('can’t be changed, and shows its secrets only when asked for them', () => {
    const config = readConfig({ OPENAI_API_KEY: 'hunter2', XAI_API_KEY: 'hunter3' }, NO_FILE);
    expect(Object.isFrozen(config)).toBe(true);
    expect(JSON.stringify(config)).not.toContain('hunter');
    expect(secretsOf(config).map((secret) => secret.reveal())).toEqual(['hunter2', 'hunter3']);
  });

  it('counts the password of a URL among its secrets', () => {
    const REDIS_URL = 'redis://user:hunter%2F4@127.0.0.1';
    const secrets = secretsOf(readConfig({ REDIS_URL }, NO_FILE)).map((secret) => secret.reveal());
    expect(secrets).toEqual([REDIS_URL, 'hunter/4']);
  });
});

describe("OpenTelemetry's own variables", () => {
  const named = { OTEL_SERVICE_NAME: 'ai-conversation-platform' };

  it('come from the file and the environment, which wins; what is empty counts as unset', () => {
    const path = dotEnv('OTEL_TRACES_SAMPLER=always_off\nOTEL_BSP_SCHEDULE_DELAY=1\nPORT=1\n');
    const variables = { OTEL_TRACES_SAMPLER: 'always_on', OTEL_BSP_SCHEDULE_DELAY: '', HOME: '/' };
    expect(openTelemetryVariables(variables, path)).toEqual({
      ...named,
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_BSP_SCHEDULE_DELAY: '1',
    });
  });

  it('name the service unless somebody did', () => {
    expect(openTelemetryVariables({}, NO_FILE)).toEqual(named);
    for (const given of [
      { OTEL_SERVICE_NAME: 'talks' },
      { OTEL_RESOURCE_ATTRIBUTES: 'a=b,service.name=talks' },
    ]) {
      expect(openTelemetryVariables(given, NO_FILE)).toEqual(given);
    }
  });
});
