import type {
  Guard,
  GuardFinding,
  GuardMode,
  GuardModes,
  GuardSettings,
  Guards,
  Looked,
  ReplyGuard,
  ScannerName,
} from '../conversation/stages/guard.ts';
import { stricter, together } from '../conversation/stages/guard.ts';
import { Redactor } from './redactor.ts';
import { count, redacted, type Scanner, type StreamScanner, type Tally } from './scanner.ts';

/** A scanner elsewhere, which sees texts as a whole. */
export interface RemoteScanner {
  /**
   * What another server says of a text.
   *
   * @param asked of what comes from a model: what it was asked
   * @returns kinds, none where it found nothing, and the text as it would let it pass
   * @throws whatever went wrong, also where it took too long; the signal's reason
   */
  analyze(
    text: string,
    asked: string | undefined,
    signal: AbortSignal,
  ): Promise<{ kinds: readonly string[]; text: string }>;
}

export interface GuardParts {
  /** Of the configuration. */
  modes: GuardModes;
  /** In this order they look. Those that see a text as it comes stand in front. */
  scanners: readonly (Scanner | StreamScanner)[];
  remote: RemoteScanner | undefined;
  /** A scanner could not look. */
  onFailure: (scanner: ScannerName, error: unknown) => void;
}

/** What looks at texts, with the modes of the configuration. */
export function createGuards(parts: GuardParts): Guards {
  const { modes, remote } = parts;
  const known = new Map<string, Guard | undefined>();
  const inForce = (wanted: GuardModes): Guard | undefined => {
    const key = Object.values(wanted).join();
    if (!known.has(key)) {
      const guard = new ScanningGuard(wanted, parts);
      known.set(key, guard.isIdle ? undefined : guard);
    }
    return known.get(key);
  };
  // Almost every conversation is content with it, at every turn.
  const configured = inForce(modes);
  return {
    modes: { ...modes, llm_guard: remote ? modes.llm_guard : undefined },
    of: (wanted) => (wanted ? inForce(stricterModes(modes, wanted)) : configured),
  };
}

function stricterModes(modes: GuardModes, wanted: GuardSettings): GuardModes {
  const pairs = Object.entries(modes).map(([name, mode]) => [
    name,
    stricter(mode, wanted[name as ScannerName]),
  ]);
  return Object.fromEntries(pairs) as GuardModes;
}

type Active = { scanner: Scanner | StreamScanner; mode: Exclude<GuardMode, 'off'> };

class ScanningGuard implements Guard {
  readonly #active: readonly Active[];
  readonly #remote: { scanner: RemoteScanner; mode: Exclude<GuardMode, 'off'> } | undefined;
  readonly #onFailure: GuardParts['onFailure'];
  /** Those that change a reply while it comes; undefined where a reply has to be whole before any of it may pass. */
  readonly #redactors: readonly StreamScanner[] | undefined;
  readonly seesDirections: boolean;

  constructor(modes: GuardModes, { scanners, remote, onFailure }: GuardParts) {
    this.#active = scanners.flatMap((scanner): Active[] => {
      const mode = modes[scanner.name];
      return mode === 'off' ? [] : [{ scanner, mode }];
    });
    this.#remote =
      remote && modes.llm_guard !== 'off' ? { scanner: remote, mode: modes.llm_guard } : undefined;
    this.#onFailure = onFailure;
    this.seesDirections = modes.invisible !== 'off';
    const redacting = this.#active.filter(({ mode }) => mode === 'redact').map(({ scanner }) => scanner);
    const isWhole =
      this.#active.some(({ mode }) => mode === 'block') ||
      (this.#remote !== undefined && this.#remote.mode !== 'flag') ||
      !redacting.every(isStreamScanner);
    this.#redactors = isWhole ? undefined : redacting.filter(isStreamScanner);
  }

  get isIdle(): boolean {
    return this.#active.length === 0 && !this.#remote;
  }

  async look(text: string, signal: AbortSignal, asked?: string): Promise<Looked> {
    const here = this.#lookHere(text, this.#active);
    return here.isBlocked ? here : await this.#lookThere(here, asked, signal);
  }

  listen(): ReplyGuard {
    if (!this.#redactors) {
      let whole = '';
      return {
        push: (piece) => {
          whole += piece;
          return '';
        },
        end: (signal, asked) => this.look(whole, signal, asked),
      };
    }
    const redactors = this.#redactors.map((scanner) => ({ scanner, redactor: new Redactor(scanner) }));
    let passed = '';
    const push = (piece: string, end = false): string => {
      let text = piece;
      for (const { redactor } of redactors) text = redactor.push(text) + (end ? redactor.end() : '');
      passed += text;
      return text;
    };
    return {
      push,
      end: async (signal, asked) => {
        const rest = push('', true);
        const redactions = redactors.flatMap(({ scanner, redactor }) =>
          findingsOf(scanner.name, redactor.tally, 'redact'),
        );
        const flagging = this.#active.filter(({ mode }) => mode === 'flag');
        const { found } = await this.#lookThere(this.#lookHere(passed, flagging), asked, signal);
        return { text: rest, found: together(redactions, found), isBlocked: false };
      },
    };
  }

  /** What the scanners of this process find, one after the other. */
  #lookHere(given: string, active: readonly Active[]): Looked {
    let text = given;
    const found: GuardFinding[] = [];
    for (const { scanner, mode } of active) {
      try {
        if (scanner.isHarmless(text)) continue;
        const matches = scanner.scan(text);
        const tally: Tally = new Map();
        count(tally, matches);
        found.push(...findingsOf(scanner.name, tally, mode));
        if (mode === 'redact') text = redacted(text, matches, (kind) => scanner.mark(kind));
      } catch (error) {
        this.#onFailure(scanner.name, error);
        found.push(failure(scanner.name, mode));
      }
    }
    const isBlocked = found.some(({ action }) => action === 'block');
    return { text: isBlocked ? '' : text, found, isBlocked };
  }

  /** What the server elsewhere says, too. */
  async #lookThere(here: Looked, asked: string | undefined, signal: AbortSignal): Promise<Looked> {
    if (!this.#remote || here.text.trim() === '') return here;
    const { scanner, mode } = this.#remote;
    let finding: GuardFinding[];
    let { text } = here;
    try {
      const said = await scanner.analyze(text, asked, signal);
      finding = said.kinds.map((kind) => ({ scanner: 'llm_guard', kind, action: mode, count: 1 }));
      if (mode === 'redact') {
        if (said.kinds.length === 0 && said.text !== text) {
          finding = [{ scanner: 'llm_guard', kind: 'sanitized', action: mode, count: 1 }];
        }
        text = said.text;
      }
    } catch (error) {
      signal.throwIfAborted();
      this.#onFailure('llm_guard', error);
      finding = [failure('llm_guard', mode)];
    }
    const isBlocked = finding.some(({ action }) => action === 'block');
    return { text: isBlocked ? '' : text, found: [...here.found, ...finding], isBlocked };
  }
}

function isStreamScanner(scanner: Scanner | StreamScanner): scanner is StreamScanner {
  return 'heldFrom' in scanner;
}

function findingsOf(scanner: ScannerName, tally: Tally, action: Exclude<GuardMode, 'off'>): GuardFinding[] {
  return [...tally].map(([kind, count]) => ({ scanner, kind, action, count }));
}

/** One that could not look counts as found under block. */
function failure(scanner: ScannerName, mode: GuardMode): GuardFinding {
  return { scanner, kind: 'not_scanned', action: mode === 'block' ? 'block' : 'error', count: 1 };
}
