import type { ConversationSettings } from '../../conversation/log/settings.ts';

/** What a conversation can be found by besides its topic: names with their values. */
export function facetsOf({ agents, metadata }: ConversationSettings): [name: string, value: string][] {
  const providers = new Set(agents.map(({ provider }) => provider));
  return [
    ...[...providers].map((provider): [string, string] => ['provider', provider]),
    ...Object.entries(metadata).map(([name, value]): [string, string] => [`label.${name}`, String(value)]),
  ];
}
