import { classify } from './classify.ts';

/**
 * Asks models again without what they refuse, once for each thing that a call can do without, and remembers it for
 * the model: a name alone doesn't tell what it takes.
 */
export class Refusals<Optional extends string> {
  readonly #known = new Map<string, ReadonlySet<Optional>>();

  /**
   * @param call asks without the given things
   * @param refusedIn which of the things that were sent a failure is about; undefined where it is something else
   * @throws what the last call threw
   */
  async ask<Answer>(
    model: string,
    call: (left: ReadonlySet<Optional>) => Promise<Answer>,
    refusedIn: (error: unknown, left: ReadonlySet<Optional>) => Optional | undefined,
  ): Promise<Answer> {
    const known = this.#known.get(model) ?? new Set<Optional>();
    const left = new Set(known);
    for (;;) {
      try {
        const answer = await call(left);
        // Only now is it known that it was that, and not, say, the length of the prompt.
        if (left.size > known.size) this.#known.set(model, left);
        return answer;
      } catch (error) {
        const next = refusedIn(error, left);
        if (next === undefined || left.has(next)) throw error;
        left.add(next);
      }
    }
  }
}

/**
 * What a server says of a request that it refuses for what stands in it, with all that its error carries; undefined
 * where the status or the words are about something else, such as the length of the prompt.
 */
export function refusalIn(thrown: unknown): string | undefined {
  const { status, param, message, error, errorDetails } = Object(thrown) as Record<string, unknown>;
  if (status !== 400 && status !== 422) return undefined;
  if (classify(thrown, (text) => text).code === 'context_too_long') return undefined;
  return JSON.stringify([param, message, error ?? errorDetails]);
}
