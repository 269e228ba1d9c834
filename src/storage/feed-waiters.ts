/** In milliseconds; then whoever waits looks anyway. */
const LONGEST_WAIT_MS = 30_000;

/** Those who wait for more in a feed. */
export class FeedWaiters {
  #next: PromiseWithResolvers<void> | undefined;

  /** There is more. */
  wake(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }

  /**
   * Fulfilled when there is more, and after so many milliseconds at the latest.
   *
   * @throws the signal's reason
   */
  async wait(signal: AbortSignal, milliseconds = LONGEST_WAIT_MS): Promise<void> {
    signal.throwIfAborted();
    this.#next ??= Promise.withResolvers<void>();
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([this.#next.promise, ended]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}
