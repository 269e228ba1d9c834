import type { KeyedOptions, RequestOptions } from './options.ts';
import type {
  CollectionSummary,
  DocumentFields,
  DocumentRequest,
  DocumentSummary,
  DocumentWithText,
  KnowledgeQuery,
  Page,
  PassageList,
  PassagesQuery,
} from './types.ts';

/** Documents that agents look things up in. */
export interface KnowledgeClient {
  collections(page?: KnowledgeQuery, options?: RequestOptions): Promise<Page<CollectionSummary>>;
  documents(
    collection: string,
    page?: KnowledgeQuery,
    options?: RequestOptions,
  ): Promise<Page<DocumentSummary>>;
  getDocument(collection: string, id: string, options?: RequestOptions): Promise<DocumentWithText>;
  /** The first one makes the collection; one of the same id is replaced. */
  addDocument(
    collection: string,
    document: DocumentRequest,
    options?: KeyedOptions,
  ): Promise<DocumentSummary>;
  /** The same from a file's bytes; its name tells what it holds. */
  addFile(
    collection: string,
    bytes: Uint8Array<ArrayBuffer>,
    fileName: string,
    fields?: DocumentFields,
    options?: KeyedOptions,
  ): Promise<DocumentSummary>;
  deleteDocument(collection: string, id: string, options?: RequestOptions): Promise<void>;
  deleteCollection(collection: string, options?: RequestOptions): Promise<void>;
  /** The best passages first. */
  searchKnowledge(collection: string, query: PassagesQuery, options?: RequestOptions): Promise<PassageList>;
}

/** How the client asks. */
export interface Asking {
  receive: <T>(method: string, path: string, request?: RequestOptions) => Promise<T>;
  post: <T>(path: string, body: unknown, options?: KeyedOptions) => Promise<T>;
  remove: (path: string, options?: RequestOptions) => Promise<void>;
  query: (parameters: KnowledgeQuery | PassagesQuery | undefined) => string;
}

export function knowledgeClient({ receive, post, remove, query }: Asking): KnowledgeClient {
  const at = (collection: string): string => `/knowledge/${encodeURIComponent(collection)}`;
  const document = (collection: string, id: string): string =>
    `${at(collection)}/documents/${encodeURIComponent(id)}`;
  return {
    collections: (page, options) => receive('GET', `/knowledge${query(page)}`, options),
    documents: (collection, page, options) =>
      receive('GET', `${at(collection)}/documents${query(page)}`, options),
    getDocument: (collection, id, options) => receive('GET', document(collection, id), options),
    addDocument: (collection, request, options) => post(`${at(collection)}/documents`, request, options),
    addFile(collection, bytes, fileName, fields = {}, options = {}) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) {
        if (value !== undefined) form.append(name, typeof value === 'string' ? value : JSON.stringify(value));
      }
      form.append('file', new Blob([bytes]), fileName);
      return post(`${at(collection)}/documents`, form, options);
    },
    deleteDocument: (collection, id, options) => remove(document(collection, id), options),
    deleteCollection: (collection, options) => remove(at(collection), options),
    searchKnowledge: (collection, wanted, options) =>
      receive('GET', `${at(collection)}/search${query(wanted)}`, options),
  };
}
