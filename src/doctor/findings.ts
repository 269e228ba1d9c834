/** What one check has found. */
export interface Finding {
  /** What was looked at. */
  name: string;
  /** `unknown`: it could not be found out, which is no fault. */
  state: 'ok' | 'fault' | 'unknown';
  /** What was found, in one line. */
  detail: string;
  /** What to do about it. */
  advice?: string;
}

export function ok(name: string, detail: string): Finding {
  return { name, state: 'ok', detail };
}

export function fault(name: string, detail: string, advice: string): Finding {
  return { name, state: 'fault', detail, advice };
}

export function unknown(name: string, detail: string): Finding {
  return { name, state: 'unknown', detail };
}
