/** The file that a thread opens. */
export interface Opening {
  path: string;
  /** False where it can be made anew from elsewhere. */
  isDurable: boolean;
}

/** What the thread of the index is asked. */
export interface Asked {
  id: number;
  verb: string;
  given: unknown[];
}

/** What it answers. */
export interface Answered {
  id: number;
  result?: unknown;
  failure?: { code: string; message: string };
}
