import type { Fault } from '../../errors.ts';
import type { GuardFinding, GuardMode, GuardSettings, ScannerName } from '../../protocol/guard.ts';

export type { GuardFinding, GuardMode, GuardSettings, ScannerName } from '../../protocol/guard.ts';

export type GuardModes = Readonly<Record<ScannerName, GuardMode>>;

/** What became of a text that was looked at. */
export interface Looked {
  /** As it may pass; nothing where it may not. */
  readonly text: string;
  readonly found: readonly GuardFinding[];
  readonly isBlocked: boolean;
}

/** PORT: looks at texts as a conversation wants it (docs/protocol.md, section 8.6). */
export interface Guard {
  /** Whether changes of direction are the guard's to deal with, so that nobody takes them out before. */
  readonly seesDirections: boolean;

  /**
   * Looks at a whole text. A scanner that fails is a finding, no error.
   *
   * @param asked of what comes from a model: what it was asked; undefined for all else
   * @throws the signal's reason
   */
  look(text: string, signal: AbortSignal, asked?: string): Promise<Looked>;

  /** Looks at a reply while it comes. */
  listen(): ReplyGuard;
}

/** Looks at one reply. The texts that it lets out, joined, are what `look` makes of all of it. */
export interface ReplyGuard {
  /** Takes the next piece; gives what may be shown by now, which ends at a code point. */
  push(piece: string): string;
  /** The rest, and what was found in all of the reply. @throws the signal's reason */
  end(signal: AbortSignal, asked: string): Promise<Looked>;
}

/** PORT: what looks at texts, as the server is configured. */
export interface Guards {
  /** Those of the configuration; `undefined` for what isn't there. */
  readonly modes: Readonly<Record<ScannerName, GuardMode | undefined>>;
  /** For a conversation that wants this; undefined where everything is off. */
  of(wanted: GuardSettings | undefined): Guard | undefined;
}

export const UNGUARDED: Guards = {
  modes: { secrets: 'off', personal_data: 'off', invisible: 'off', injection: 'off', llm_guard: undefined },
  of: () => undefined,
};

/** From the laxest to the strictest. */
export const GUARD_MODES = ['off', 'flag', 'redact', 'block'] as const satisfies readonly GuardMode[];

function strictness(mode: GuardMode): number {
  return GUARD_MODES.indexOf(mode);
}

/** The stricter of two. */
export function stricter(one: GuardMode, other: GuardMode | null | undefined): GuardMode {
  return other && strictness(other) > strictness(one) ? other : one;
}

/** What is wrong with what a conversation wants: it may be stricter than the configuration, not laxer. */
export function faultsOfGuard(wanted: GuardSettings | undefined, { modes }: Guards): Fault[] {
  return Object.entries(wanted ?? {}).flatMap(([name, mode]): Fault[] => {
    if (!mode) return [];
    const path = `guard.${name}`;
    const configured = modes[name as ScannerName];
    if (configured === undefined) {
      return mode === 'off' ? [] : [{ path, message: 'is not configured: set LLM_GUARD_URL' }];
    }
    return strictness(mode) < strictness(configured)
      ? [{ path, message: `is laxer than the server's, which is ${configured}` }]
      : [];
  });
}

/** What a conversation like an older one wants, where the configuration has become stricter since. */
export function raised(wanted: GuardSettings | undefined, { modes }: Guards): GuardSettings | undefined {
  if (!wanted) return undefined;
  const kept = Object.entries(wanted).filter(([name, mode]) => {
    const configured = modes[name as ScannerName];
    return mode && configured !== undefined && stricter(configured, mode) === mode;
  });
  return Object.fromEntries(kept);
}

/** Findings of the same kind counted together, in the order in which they came. */
export function together(...lists: readonly (readonly GuardFinding[])[]): GuardFinding[] {
  const sums = new Map<string, GuardFinding>();
  for (const finding of lists.flat()) {
    const key = `${finding.scanner} ${finding.kind} ${finding.action}`;
    const known = sums.get(key);
    sums.set(key, known ? { ...known, count: known.count + finding.count } : finding);
  }
  return [...sums.values()];
}

/** What is said of a text that was blocked: the scanners, and the kinds of what they found. */
export function blockedBy(found: readonly GuardFinding[]): string {
  const blocking = found.filter(({ action }) => action === 'block');
  return [...new Set(blocking.map(({ scanner, kind }) => `${scanner} (${kind})`))].join(', ');
}
