import type { ExportFormat } from './download.ts';
import type {
  ConversationsQuery,
  KnowledgeQuery,
  MessagesQuery,
  PassagesQuery,
  SearchQuery,
} from './types.ts';

export function conversation(id: string): string {
  return `/conversations/${encodeURIComponent(id)}`;
}

export function scenario(name: string): string {
  return `/scenarios/${encodeURIComponent(name)}`;
}

export function webhook(id: string): string {
  return `/webhooks/${encodeURIComponent(id)}`;
}

export function query(
  parameters:
    | ConversationsQuery
    | SearchQuery
    | KnowledgeQuery
    | PassagesQuery
    | MessagesQuery
    | { after: string | undefined }
    | { format: ExportFormat | undefined } = {},
): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries<string | number | undefined>({ ...parameters })) {
    if (value !== undefined) said.append(name, String(value));
  }
  return said.size === 0 ? '' : `?${said.toString()}`;
}
