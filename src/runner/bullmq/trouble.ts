/** Tells what goes wrong between here and Redis, the same at most once a second. */
export class Trouble {
  readonly #tell: (error: unknown) => void;
  readonly #told = new Set<string>();
  #isOver = false;

  constructor(tell: (error: unknown) => void) {
    this.#tell = tell;
  }

  readonly report = (error: unknown): void => {
    if (this.#isOver) return;
    const message = error instanceof Error ? error.message : String(error);
    // Told of all together by `lockRenewalFailed`.
    if (message.startsWith('could not renew lock for job') || this.#told.has(message)) return;
    this.#told.add(message);
    setTimeout(() => this.#told.delete(message), 1000).unref();
    this.#tell(error);
  };

  /** What goes wrong from now on is told to nobody. */
  end(): void {
    this.#isOver = true;
  }
}
