/** Until when a vendor asked to be left alone. */
export class Pause {
  #until = 0;

  extend(milliseconds: number): void {
    this.#until = Math.max(this.#until, performance.now() + milliseconds);
  }

  get remainingMs(): number {
    if (this.#until === 0) return 0;
    const remaining = this.#until - performance.now();
    if (remaining <= 0) this.#until = 0;
    return Math.max(0, remaining);
  }
}
