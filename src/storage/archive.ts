import type { ConversationRecord, LogEntry } from '../conversation/log/log.ts';

/** An idempotency key that still holds. Some storages keep only the SHA-256 of its text, in hex. */
export interface KeptKey {
  key: { text: string } | { hash: string };
  bodyHash: string;
  /** Milliseconds since 1970. */
  createdAt: number;
}

/** What a storage keeps of a conversation besides its log. */
export interface KeptConversation {
  record: ConversationRecord;
  idempotency: KeptKey | null;
}

/** A conversation's place in lists: before all whose time is later, in milliseconds since 1970. */
export interface Listed {
  id: string;
  listedAt: number;
}

/**
 * A storage seen by who carries conversations from one to another. It is no part of the ports: an event is
 * written here as the very text that it has elsewhere, and nobody is told of it. No server may run on a storage
 * that is written so.
 */
export interface ConversationArchive {
  count(): Promise<number>;

  /** All conversations, oldest first: the order of lists, backwards. */
  conversations(): AsyncIterable<Listed>;

  /** Undefined where there is no such conversation. */
  read(id: string): Promise<KeptConversation | undefined>;

  /** As the ConversationLog's; also of a log that was restored only in part. */
  readOn(id: string, afterSeq: number, limit: number): Promise<LogEntry[]>;

  /**
   * Whether a conversation has all that makes a server find it, whatever its log holds. A log that was restored
   * only in part may be there all the same.
   */
  isListed(id: string): Promise<boolean>;

  /**
   * Writes a conversation, or the rest of one. A server sees it only when it is whole. Where it fails or the
   * process ends, nothing is there, or a part of the log that the next call goes on behind.
   *
   * @param afterSeq the last event that is here already
   * @param pages the events behind it, in order, up to the record's `lastSeq`
   * @returns whether its idempotency key holds here too; true where it has none
   * @throws Error where the log ends elsewhere than at `afterSeq`
   */
  restore(
    conversation: KeptConversation,
    listedAt: number,
    afterSeq: number,
    pages: AsyncIterable<readonly LogEntry[]>,
  ): Promise<boolean>;

  /** What was restored is durable when it is fulfilled. */
  close(): Promise<void>;
}
