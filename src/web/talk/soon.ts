/** A tab that nobody sees draws nothing; what waits for that waits so long at most. */
const UNSEEN_MS = 500;

/**
 * Runs with what is drawn next: behind the events of scrolling, so that those find the page laid out.
 *
 * @returns what takes it back
 */
export function soon(run: () => void): () => void {
  const once = (): void => {
    cancel();
    run();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, UNSEEN_MS);
  const cancel = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  return cancel;
}
