/**
 * Why a run stops before its conversation ends by itself: it was ended, its time is up, or the process ends; or why an attempt
 * alone does: somebody made it void.
 */
export type Stop = 'ended' | 'timeout' | 'drained' | 'interrupted';

/** What a run's AbortSignal is aborted with. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly why: Stop;

  constructor(why: Stop) {
    super(`the conversation's run was stopped: ${why}`);
    this.why = why;
  }
}

export function reasonOf({ reason }: AbortSignal): Stop {
  return reason instanceof Stopped ? reason.why : 'drained';
}
