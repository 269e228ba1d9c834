import { StorageRefusal } from '../../conversation/log/refusal.ts';
import { AppError } from '../../errors.ts';
import type { WriteOperation, WriteResult } from './operations.ts';

interface Waiting {
  operation: WriteOperation;
  resolve: (result: WriteResult) => void;
  reject: (error: unknown) => void;
}

/** Operations waiting for their commit; beyond it the server says `overloaded`. */
const MAX_WAITING = 50_000;
/** Operations in one transaction, so that none waits long for the others. */
const MAX_GROUP = 1024;

/**
 * Commits the operations of the same moment together: whatever is submitted in one round of the event loop
 * shares one transaction and one fsync. A lone operation waits for nobody.
 */
export class GroupCommit {
  readonly #write: (group: readonly WriteOperation[]) => WriteResult[];
  /** Told of each durable operation, in order, before whoever submitted it goes on. */
  readonly #announce: (operation: WriteOperation, result: WriteResult) => void;
  #waiting: Waiting[] = [];
  #scheduled = false;

  constructor(
    write: (group: readonly WriteOperation[]) => WriteResult[],
    announce: (operation: WriteOperation, result: WriteResult) => void,
  ) {
    this.#write = write;
    this.#announce = announce;
  }

  /**
   * Fulfilled when the operation is durable, or was refused.
   *
   * @throws AppError `overloaded` where the disk is full or too much is waiting; StorageRefusal where the file
   * can't be written any more
   */
  submit(operation: WriteOperation): Promise<WriteResult> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(overloaded('too many writes are waiting'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
    this.#waiting.push({ operation, resolve, reject });
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#commit());
    }
    return promise;
  }

  /** Commits what is waiting at once. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commit();
  }

  #commit(): void {
    const group = this.#waiting.splice(0, MAX_GROUP);
    this.#scheduled = this.#waiting.length > 0;
    if (this.#scheduled) setImmediate(() => this.#commit());
    if (group.length > 0) this.#carryOut(group);
  }

  #carryOut(group: readonly Waiting[]): void {
    let results: WriteResult[];
    try {
      results = this.#write(group.map(({ operation }) => operation));
    } catch (error) {
      if (isTransient(error)) {
        for (const { reject } of group) reject(overloaded((error as Error).message));
      } else if (group.length > 1) {
        // One that can't be written at all must not take the others with it: halving finds it.
        const half = group.length >> 1;
        this.#carryOut(group.slice(0, half));
        this.#carryOut(group.slice(half));
      } else group[0]?.reject(isRefusal(error) ? new StorageRefusal((error as Error).message) : error);
      return;
    }
    for (const [index, { operation, resolve }] of group.entries()) {
      const result = results[index] as WriteResult;
      this.#announce(operation, result);
      resolve(result);
    }
  }
}

function overloaded(why: string): AppError {
  return new AppError('overloaded', `The storage can't take more at the moment: ${why}`, {
    retryAfterSeconds: 5,
  });
}

/** A file that is damaged or no database any more, or whose rights were taken away, stays so. */
function isRefusal(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|PERM|AUTH|READONLY|CANTOPEN)/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

/** A full disk or a failing one may be mended while the server runs. */
function isTransient(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED)/.test(codeOf(error));
}
