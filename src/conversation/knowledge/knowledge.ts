import type {
  CollectionSummary,
  DocumentFormat,
  DocumentSummary,
  DocumentWithText,
  Passage,
} from '../../protocol/knowledge.ts';
import type { Page } from '../log/log.ts';
import type { GuardFinding } from '../stages/guard.ts';

/** Where a passage stands: UTF-16 offsets into its document's text. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A document that was read: its text, and the passages that it is cut into. */
export interface ReadDocument {
  id: string;
  title: string;
  url?: string | undefined;
  metadata?: DocumentSummary['metadata'];
  format: DocumentFormat;
  text: string;
  /** In order; each with the headings that it stands under. */
  passages: readonly (Range & { under: string })[];
  createdAt: Date;
}

/** Names a request, so that a repeated one is harmless for 24 h. */
interface NamedRequest {
  key: string;
  bodyHash: string;
}

export type PutOutcome =
  | { outcome: 'kept' }
  /** The request came before, and made the document with this id. */
  | { outcome: 'replayed'; id: string }
  | { outcome: 'idempotency_mismatch' }
  /** The tenant has MOST_COLLECTIONS, and none of that name. */
  | { outcome: 'full' };

/** Collections that a tenant keeps at most. */
export const MOST_COLLECTIONS = 1000;

export interface Found {
  /** Best first. */
  items: Passage[];
  /** Words alone were compared, since the vendor of embeddings was away. */
  degraded: boolean;
}

/** A passage, and the collection that it was found in. */
export interface FoundPassage extends Passage {
  collection: string;
}

/** What was looked up for a turn, as the agent is shown it. */
export interface Shown {
  /** The text, as it stands in the prompt. */
  text: string;
  /** In the order of their numbers, from 1. */
  passages: readonly FoundPassage[];
  /** Words alone were compared, or something could not be looked up. */
  degraded: boolean;
  /** What guards found in passages; those that they block are left out. */
  found: readonly GuardFinding[];
}

/**
 * PORT: looks up passages.
 *
 * @throws AppError `overloaded` where too much is asked at once; the signal's reason
 */
export interface PassageSearch {
  /** At most `limit` passages for what is asked; undefined where the tenant has no such collection. */
  search(
    tenant: string,
    collection: string,
    question: string,
    options: { limit: number; signal: AbortSignal },
  ): Promise<Found | undefined>;
}

/**
 * PORT: the collections of all tenants. A document is kept whole or not at all, with its passages, and can be found
 * when its promise is fulfilled. All verbs throw AppError `overloaded` where the storage can't take more.
 */
export interface Knowledge extends PassageSearch {
  /** What an idempotency key stands for, before a document is read for nothing. */
  replayOf(tenant: string, request: NamedRequest): Promise<PutOutcome | undefined>;

  /** Makes the collection where there is none; the same id replaces. */
  put(
    tenant: string,
    collection: string,
    document: ReadDocument,
    request: NamedRequest | undefined,
  ): Promise<PutOutcome>;

  get(tenant: string, collection: string, id: string): Promise<DocumentWithText | undefined>;

  /** In the order of their ids; undefined where there is no such collection. */
  documents(
    tenant: string,
    collection: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<DocumentSummary> | undefined>;

  /** By name. */
  collections(
    tenant: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<CollectionSummary>>;

  has(tenant: string, collection: string): Promise<boolean>;

  /** False where there was none. The collection goes with its last document. */
  deleteDocument(tenant: string, collection: string, id: string): Promise<boolean>;

  deleteCollection(tenant: string, collection: string): Promise<boolean>;
}
