export interface RequestOptions {
  signal?: AbortSignal | undefined;
}

export interface KeyedOptions extends RequestOptions {
  /** The same key and request within 24 h are one request. */
  idempotencyKey?: string | undefined;
}
