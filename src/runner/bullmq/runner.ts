import { type Job, Queue, WaitingError, Worker } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import type { Drain } from '../../conversation/turn/run.ts';
import { drainRun, GRACE_MS, keepRunning, notePlace, type RunParts } from '../keep-running.ts';
import type { Owner, Runner } from '../runner.ts';
import { Admission, type Admitted } from './admission.ts';
import { Runs } from './runs.ts';
import { Trouble } from './trouble.ts';
import { employ, WORKING } from './workers.ts';

export interface BullmqRunnerParts extends RunParts {
  /**
   * Opens a connection to Redis with `maxRetriesPerRequest: null` and no `keyPrefix`. Called once; BullMQ
   * duplicates it for what blocks, and all are closed by `drain`.
   */
  connect: () => Redis | Cluster;
  /** Before every key, in braces, since BullMQ's scripts need all keys on one node of a cluster. */
  prefix: string;
  /** What goes wrong between here and Redis; the runner goes on by itself. The same message at most once a second. */
  onTrouble: (error: unknown) => void;
  /** The conversations that are to run: those that `repair` makes sure of. */
  unfinished: () => Promise<string[]>;
  /** Whose one is that nobody starts any more. */
  ownerOf: (conversationId: string) => Promise<Owner>;
  /** How many run at once in this process. */
  maxActive: number;
  /** How many of those that a key made run at once, on all instances; undefined: without limit. */
  activeLimitOf: (key: string) => number | undefined;
}

interface Leave {
  /** When it began, in `performance.now()`. */
  at: number;
  /** Fulfilled when nothing runs here any more, and all is handed back. */
  quiet: Promise<unknown>;
}

const REPAIR_EVERY_MS = 60_000;
/** Small enough for what else is said to Redis to come between. */
const REPAIR_BATCH = 100;
/** How often it is looked whether somebody waits for a place that nobody gave on. */
const SWEEP_EVERY_MS = 2000;
/** For handing back and closing behind the grace; what is not done by then is left to the locks' end. */
const HAND_BACK_MS = 2000;

/**
 * Runs conversations on all instances that share a Redis: one BullMQ job each, whose id is the conversation's.
 * The job's lock says who runs it; a lock that isn't renewed gives the conversation to another instance, and
 * the expected seq of an append is the last fence against a run that hasn't noticed.
 */
export class BullmqRunner implements Runner {
  readonly #parts: BullmqRunnerParts;
  readonly #connection: Redis | Cluster;
  readonly #conversations: Queue;
  readonly #repairs: Queue;
  readonly #workers: Worker[];
  readonly #repairer: Worker;
  readonly #admission: Admission;
  readonly #trouble: Trouble;
  readonly #runs: Runs;
  readonly #adding = new Set<Promise<void>>();
  readonly #sweep: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;
  #left: Leave | undefined;
  #drained: Promise<void> | undefined;

  constructor(parts: BullmqRunnerParts) {
    this.#parts = parts;
    this.#trouble = new Trouble(parts.onTrouble);
    this.#runs = new Runs(this.#trouble.report);
    this.#connection = parts.connect();
    const shared = { connection: this.#connection, prefix: parts.prefix };
    this.#conversations = new Queue('conversations', shared);
    this.#admission = new Admission({
      connection: this.#connection,
      prefix: parts.prefix,
      keyOfJob: (conversationId) => this.#conversations.toKey(conversationId),
      activeLimitOf: parts.activeLimitOf,
    });
    this.#workers = employ(parts.maxActive, (job, token) => this.#hold(job, token), shared);
    // A queue of its own, so that a repair waits for no conversation's place and takes none.
    this.#repairs = new Queue('repairs', shared);
    this.#repairer = new Worker('repairs', async () => void (await this.resume()), { ...shared, ...WORKING });
    this.#watch();
    this.#sweep = setInterval(() => this.#sweepOnce(), SWEEP_EVERY_MS);
    this.#inBackground(this.#scheduleRepairs());
  }

  /** Nobody knows beforehand which instance has room. */
  reserve(): undefined {
    return undefined;
  }

  start(conversationId: string, owner: Owner): void {
    if (this.#drained) return;
    this.#inBackground(this.#enter(conversationId, owner));
  }

  /**
   * A job that is being completed can't be added again. Therefore a note is left first, which is taken up when a
   * run begins, and looked for when its job is completed.
   */
  wake(conversationId: string, owner: Owner): void {
    if (this.#drained) return;
    const wake = async (): Promise<void> => {
      await this.#admission.noteWoken(conversationId);
      await this.#enter(conversationId, owner);
    };
    this.#inBackground(wake());
  }

  /**
   * Makes sure that every conversation that has not ended has its job, or waits for it. Also done every minute by one
   * of the instances, so that nothing is lost where Redis isn't there now.
   */
  async resume(): Promise<number> {
    const unfinished = await this.#parts.unfinished();
    // Looking is a hundredth of the cost of adding in vain, and nearly all have their jobs.
    const missing = await this.#admission.missing(unfinished);
    for (let from = 0; from < missing.length && !this.#left; from += REPAIR_BATCH) {
      const entering = missing.slice(from, from + REPAIR_BATCH).map(async (conversationId) => {
        const owner = await this.#parts.ownerOf(conversationId);
        return await this.#admission.enter(conversationId, owner);
      });
      await this.#add((await Promise.all(entering)).flat());
    }
    return unfinished.length;
  }

  active(): number {
    return this.#runs.size;
  }

  /** The conversations of all instances, by what becomes of them. */
  async depth(): Promise<{ waiting: number; active: number; delayed: number }> {
    const [counts, gated] = await Promise.all([
      this.#conversations.getJobCounts('wait', 'prioritized', 'active', 'delayed'),
      this.#admission.gated(),
    ]);
    const count = (state: string): number => counts[state] ?? 0;
    return {
      waiting: count('wait') + count('prioritized') + gated,
      active: count('active'),
      delayed: count('delayed'),
    };
  }

  /** Each conversation is handed back when its run has left, for others to take at once; its lock holds until then. */
  leave(): void {
    this.#left ??= this.#leave();
  }

  #leave(): Leave {
    const at = performance.now();
    this.#trouble.end();
    clearInterval(this.#sweep);
    const closing = this.#employed().map((worker) => worker.close(this.#isAway()));
    // Newest first: Redis seeks each in its list of active jobs from that end, and what is handed back last is taken first.
    const leaving = drainRun(this.#runs.all().toReversed());
    return { at, quiet: Promise.allSettled([...closing, leaving]) };
  }

  /**
   * Fulfilled 4 s after leaving began at the latest, also where Redis doesn't answer; then others take what could not
   * be handed back as the locks run out.
   */
  drain(): Promise<void> {
    this.#left ??= this.#leave();
    this.#drained ??= this.#drain(this.#left);
    return this.#drained;
  }

  async #drain({ at, quiet }: Leave): Promise<void> {
    const added = this.#isAway() ? [] : this.#adding;
    const time = Promise.withResolvers<void>();
    const timer = setTimeout(time.resolve, at + GRACE_MS + HAND_BACK_MS - performance.now());
    await Promise.race([Promise.allSettled([quiet, ...added]), time.promise]);
    clearTimeout(timer);
    this.#runs.close();
    for (const worker of this.#employed()) {
      const backend = worker.getBackend();
      backend.close(true).catch(() => {});
      backend.blockingClient?.then((client) => client.disconnect()).catch(() => {});
    }
    this.#connection.disconnect();
  }

  #employed(): Worker[] {
    return [...this.#workers, this.#repairer];
  }

  /** Without Redis nothing can be handed back, and BullMQ would wait for its return. */
  #isAway(): boolean {
    return this.#connection.status !== 'ready';
  }

  async #enter(conversationId: string, owner: Owner): Promise<void> {
    await this.#add(await this.#admission.enter(conversationId, owner));
  }

  /** Adding a job with the id of one that is there changes nothing. */
  async #add(admitted: Admitted[]): Promise<void> {
    if (admitted.length === 0) return;
    await this.#conversations.addBulk(
      admitted.map(({ conversationId, owner, turn }) => ({
        name: 'conversation',
        data: owner,
        opts: { jobId: conversationId, priority: turn, removeOnComplete: true, removeOnFail: true },
      })),
    );
  }

  async #completed({ id = '', data }: Job<Partial<Owner>>): Promise<void> {
    const owner: Owner = { tenant: data.tenant ?? '', key: data.key };
    await this.#add(await this.#admission.left(id, owner.key));
    if (await this.#admission.wasWoken(id)) await this.#enter(id, owner);
  }

  #sweepOnce(): void {
    if (this.#sweeping || this.#isAway()) return;
    const sweep = async (): Promise<void> => this.#add(await this.#admission.sweep());
    this.#sweeping = this.#finish(sweep()).finally(() => {
      this.#sweeping = undefined;
    });
  }

  /** A job's whole time here: it is completed as its conversation ends, and handed back as that goes on elsewhere. */
  async #hold(job: Job, token: string): Promise<void> {
    const conversationId = job.id ?? '';
    const run = this.#runs.begin(conversationId, async (drain, before) => {
      // It was being fetched when leaving began.
      if (this.#left) drain.leave();
      await before;
      await this.#admission.taken(conversationId, job.priority).catch(() => {});
      await this.#play(conversationId, drain);
    });
    const outcome = await Promise.race([run.ended, run.lost.promise]);
    if (!run.drain.isLeaving) return;
    // A job that can't be handed back is taken as its lock runs out.
    if (outcome === 'ended') await job.moveToWait(token).catch(() => {});
    throw new WaitingError();
  }

  async #play(conversationId: string, drain: Drain): Promise<void> {
    void notePlace(this.#parts, conversationId, drain);
    await keepRunning(this.#parts, conversationId, drain);
  }

  #watch(): void {
    for (const queue of [this.#conversations, this.#repairs]) queue.on('error', this.#trouble.report);
    for (const worker of this.#employed()) worker.on('error', this.#trouble.report);
    for (const worker of this.#workers) {
      worker.on('completed', (job) => this.#inBackground(this.#completed(job)));
      worker.on('locksRenewed', ({ jobIds }) => this.#runs.renewed(jobIds));
      worker.on('lockRenewalFailed', (jobIds) => this.#runs.lost(jobIds));
    }
  }

  async #scheduleRepairs(): Promise<void> {
    await this.#repairs.upsertJobScheduler(
      'repair',
      { every: REPAIR_EVERY_MS },
      { name: 'repair', opts: { removeOnComplete: true, removeOnFail: true } },
    );
  }

  #inBackground(work: Promise<unknown>): void {
    const adding = this.#finish(work).finally(() => this.#adding.delete(adding));
    this.#adding.add(adding);
  }

  async #finish(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#trouble.report(error);
    }
  }
}
