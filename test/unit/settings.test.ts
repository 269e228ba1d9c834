import { describe, expect, it } from 'vitest';
import {
  type AgentRequest,
  type ConversationRequest,
  type RosterEntry,
  resolveSettings,
} from '../../src/conversation/log/settings.ts';
import { filledIn } from '../../src/conversation/scenarios/apply.ts';
import { AppError } from '../../src/errors.ts';

const DEFAULTS = {
  maxTurns: 50,
  timeoutSeconds: 1800,
  contextMessages: 10,
  temperature: 0.7,
  maxOutputTokens: 1024,
  similarity: { threshold: 0.85, consecutive: 2 },
};

function vendor(id: string, displayName: string, configured: boolean, model?: string): RosterEntry {
  const defaultModels = model === undefined ? [] : [model];
  const hint = `set ${id}`;
  return {
    id,
    displayName: () => displayName,
    configured,
    hint,
    defaultModels,
    models: undefined,
    embedded: false,
  };
}

const EMBEDDED: RosterEntry = {
  id: 'embedded',
  displayName: (model) => (model === 'parry' ? 'Parry' : 'Eliza'),
  configured: true,
  hint: '',
  defaultModels: ['eliza', 'parry'],
  models: ['eliza', 'parry'],
  embedded: true,
};

function roster(...configured: string[]): RosterEntry[] {
  return [
    vendor('claude', 'Claude', configured.includes('claude'), 'c-1'),
    vendor('chatgpt', 'ChatGPT', configured.includes('chatgpt'), 'g-1'),
    vendor('local', 'Local', configured.includes('local')),
    EMBEDDED,
  ];
}

function resolve(request: Partial<ConversationRequest>, entries = roster('claude', 'chatgpt', 'local')) {
  const resolution = resolveSettings(
    filledIn({ topic: 'Is it?', ...request }, undefined, entries),
    entries,
    DEFAULTS,
  );
  if ('notConfigured' in resolution) throw new Error(resolution.notConfigured.path);
  return resolution.settings;
}

function faultsOf(agents: AgentRequest[]): string[] {
  try {
    resolve({ agents });
  } catch (error) {
    if (error instanceof AppError) return error.faults.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

const models = (agents?: AgentRequest[], entries?: RosterEntry[]) =>
  resolve({ agents }, entries).agents.map(({ name, provider, model }) => `${name}: ${provider}/${model}`);

describe('2.1: agents', () => {
  it.each([
    ['none is configured', [], ['Eliza: embedded/eliza', 'Parry: embedded/parry']],
    ['one is', ['chatgpt'], ['ChatGPT: chatgpt/g-1', 'ChatGPT 2: chatgpt/g-1']],
    ['two are, whatever their order', ['chatgpt', 'claude'], ['Claude: claude/c-1', 'ChatGPT: chatgpt/g-1']],
    ['one without a default model is', ['local'], ['Eliza: embedded/eliza', 'Parry: embedded/parry']],
  ])('by default, where %s', (_which, configured, wanted) => {
    expect(models(undefined, roster(...configured))).toEqual(wanted);
  });

  it.each<[string, AgentRequest[], string[]]>([
    [
      'alternate their embedded models',
      Array.from({ length: 4 }, () => ({ provider: 'embedded' })),
      [
        'Eliza: embedded/eliza',
        'Parry: embedded/parry',
        'Eliza 2: embedded/eliza',
        'Parry 2: embedded/parry',
      ],
    ],
    [
      'with a model of their own don’t count for that',
      [{ provider: 'embedded', model: 'parry' }, { provider: 'embedded' }, { provider: 'embedded' }],
      ['Parry: embedded/parry', 'Eliza: embedded/eliza', 'Parry 2: embedded/parry'],
    ],
    [
      'keep the names that they were given, and defaults go around them',
      [
        { provider: 'claude' },
        { provider: 'claude' },
        { provider: 'chatgpt', name: 'Claude' },
        { provider: 'chatgpt', name: 'Claude 3' },
      ],
      ['Claude 2: claude/c-1', 'Claude 4: claude/c-1', 'Claude: chatgpt/g-1', 'Claude 3: chatgpt/g-1'],
    ],
    [
      'may be of an unknown model where the vendor decides',
      [
        { provider: 'claude', model: 'next' },
        { provider: 'local', model: 'own' },
      ],
      ['Claude: claude/next', 'Local: local/own'],
    ],
  ])('%s', (_what, agents, wanted) => {
    expect(models(agents)).toEqual(wanted);
  });

  it.each<[string, AgentRequest[], string[]]>([
    [
      'the same name',
      [
        { provider: 'claude', name: 'Ada' },
        { provider: 'claude', name: 'Ada' },
      ],
      ['agents.1.name is the name of another agent'],
    ],
    [
      'the name Moderator',
      [{ provider: 'claude', name: 'Moderator' }, { provider: 'claude' }],
      ['agents.0.name is the name of the moderator'],
    ],
    [
      'an unknown provider',
      [{ provider: 'claude' }, { provider: 'hal' }],
      ['agents.1.provider is none of claude, chatgpt, local, embedded'],
    ],
    [
      'an unknown embedded model',
      [{ provider: 'embedded', model: 'hal' }, { provider: 'claude' }],
      ['agents.0.model is none of eliza, parry'],
    ],
    [
      'no model where there is no default',
      [{ provider: 'local' }, { provider: 'claude' }],
      ['agents.0.model is needed, because local has no default model'],
    ],
    [
      'several faults',
      [{ provider: 'hal', name: 'Moderator' }, { provider: 'local' }],
      [
        'agents.0.provider is none of claude, chatgpt, local, embedded',
        'agents.1.model is needed, because local has no default model',
        'agents.0.name is the name of the moderator',
      ],
    ],
  ])('with %s are refused', (_what, agents, wanted) => {
    expect(faultsOf(agents)).toEqual(wanted);
  });

  it('of a vendor without a key are named, with what to set', () => {
    const agents = [{ provider: 'embedded' }, { provider: 'local', model: 'own' }];
    expect(resolveSettings({ topic: 'Is it?', agents }, roster(), DEFAULTS)).toEqual({
      notConfigured: { path: 'agents.1.provider', provider: 'local', hint: 'set local' },
    });
  });
});

describe('2.1: all other settings', () => {
  it('have defaults', () => {
    const { agents: _agents, ...rest } = resolve({});
    const {
      temperature: _temperature,
      maxOutputTokens: _maxOutputTokens,
      similarity,
      ...defaults
    } = DEFAULTS;
    expect(rest).toEqual({
      topic: 'Is it?',
      openingMessage: 'Is it?',
      ...defaults,
      termination: { phrases: ['[done]'], minTurns: 2, similarity },
      metadata: {},
    });
  });

  it('are kept as they were given, zero and nothing too', () => {
    const given = {
      openingMessage: 'Well?',
      maxTurns: 1,
      timeoutSeconds: 1,
      contextMessages: 1,
      termination: {
        phrases: [],
        minTurns: 0,
        similarity: { threshold: 1, consecutive: 10 },
        maxTotalTokens: 1,
        maxCostUsd: 0.01,
      },
      metadata: { experiment: '42', run: 0, blind: false },
    };
    const agent = {
      provider: 'claude',
      model: 'c-2',
      instructions: 'Be kind.',
      temperature: 0,
      maxOutputTokens: 1,
    };
    const agents = [
      { ...agent, name: 'Ada' },
      { ...agent, name: 'Bob' },
    ];
    expect(resolve({ ...given, agents })).toEqual({ topic: 'Is it?', ...given, agents });
  });

  it('may be given in part', () => {
    const { similarity } = resolve({ termination: { similarity: { consecutive: 3 } } }).termination;
    expect(similarity).toEqual({ threshold: 0.85, consecutive: 3 });
  });
});
