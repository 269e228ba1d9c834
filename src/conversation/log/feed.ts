/**
 * What to look at: a conversation whose log grew by the events from `from` to `seq`, or one that was removed. It
 * brings nothing of what happened, so that one which comes twice, or too late, does no harm. More kinds will come:
 * a reader passes over those that it doesn't know.
 */
export type FeedEntry =
  | { kind: 'grown'; tenant: string; id: string; from: number; seq: number }
  | { kind: 'removed'; tenant: string; id: string };

/** A page of the feed. */
export interface FeedPage {
  entries: FeedEntry[];
  /** Where to read on: at the last entry, or where there was none, where the reader was. */
  cursor: string;
  /**
   * The feed can't tell what happened since the reader's cursor: it is too old, or of another history, as after a
   * backup was put back. No entries come, and `cursor` is the feed's end. Whoever keeps something of its own looks
   * at all that the catalog has, and reads on from there.
   */
  behind: boolean;
}

/**
 * PORT: one sequence of all that changes, over all conversations of all tenants, for what keeps something of its own
 * of them: an index, deliveries. It survives restarts. Whatever was acknowledged is told at least once: on Redis
 * Cluster soon after, elsewhere at once. Entries of one conversation come in the order of its log, but that on a
 * cluster those of two instances that append to it at the same moment may be exchanged: a reader has what it has
 * had of a conversation, and reads on in its log from there. Cursors are opaque, and kept by the reader.
 */
export interface ConversationFeed {
  /** Entries after a cursor, in order, at most `limit`. Throws AppError `overloaded` as the log does. */
  read(after: string, limit: number): Promise<FeedPage>;

  /** The cursor of the last entry: where a reader begins who looks at the catalog next, or at nothing before it. */
  end(): Promise<string>;

  /**
   * Fulfilled when there may be more behind a cursor, and after 30 s at the latest. Costs a storage in this process
   * nothing, and Redis two small questions a second. Rejects with the signal's reason, or as `read` does.
   */
  more(after: string, signal: AbortSignal): Promise<void>;
}
