import type { Owner } from './runner.ts';

/** Who waits for a place. Places are given out between tenants by turns, and within one in the order of coming. */
export class WaitingRoom {
  readonly #tenants = new Map<string, Map<string, Owner>>();
  /** When a tenant was given a place last, of those that wait. Who had none for longest comes first. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(conversationId: string, owner: Owner): void {
    const waiting = this.#tenants.get(owner.tenant) ?? new Map<string, Owner>();
    if (waiting.has(conversationId)) return;
    this.#size++;
    this.#tenants.set(owner.tenant, waiting.set(conversationId, owner));
  }

  /** Notes that somebody of a tenant was given a place. */
  served({ tenant }: Owner): void {
    this.#turns.set(tenant, ++this.#turn);
    // Of those that don't wait only the last few are worth remembering.
    if (this.#turns.size > MOST_REMEMBERED) {
      for (const [known] of this.#turns) if (!this.#tenants.has(known)) this.#turns.delete(known);
    }
  }

  /** Takes out whose turn it is, of those that may run; undefined where there is nobody. */
  take(mayRun: (owner: Owner) => boolean): { conversationId: string; owner: Owner } | undefined {
    const turnOf = (tenant: string): number => this.#turns.get(tenant) ?? 0;
    const inTurn = [...this.#tenants.keys()].sort((left, right) => turnOf(left) - turnOf(right));
    for (const tenant of inTurn) {
      const waiting = this.#tenants.get(tenant) ?? new Map<string, Owner>();
      const blocked = new Set<string | undefined>();
      for (const [conversationId, owner] of waiting) {
        if (blocked.has(owner.key)) continue;
        if (!mayRun(owner)) blocked.add(owner.key);
        else {
          this.#size--;
          waiting.delete(conversationId);
          if (waiting.size === 0) this.#tenants.delete(tenant);
          return { conversationId, owner };
        }
      }
    }
    return undefined;
  }

  clear(): void {
    this.#size = 0;
    this.#tenants.clear();
  }
}

const MOST_REMEMBERED = 1000;
