import { type Job, Queue, WaitingError, Worker, type WorkerOptions } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { Drain } from '../conversation/turn/run.ts';
import { type Draining, drainRun, GRACE_MS, keepRunning, notePlace, type RunParts } from './keep-running.ts';
import type { Runner } from './runner.ts';

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
  /** How many run at once in this process. */
  maxActive: number;
}

/** A run and the lock that it depends on. */
interface Run extends Draining {
  /** When the lock was known to be ours, in `performance.now()`. */
  lockedAt: number;
  /** Fulfilled as the lock is given up for lost. */
  lost: PromiseWithResolvers<'lost'>;
  readonly ended: Promise<'ended'>;
}

interface Leave {
  /** When it began, in `performance.now()`. */
  at: number;
  /** Fulfilled when nothing runs here any more, and all is handed back. */
  quiet: Promise<unknown>;
}

/**
 * How long a lock holds without being renewed; it is renewed every 0.75 to 1.5 s, all locks of a process in one
 * script. An event loop that stands still for longer loses its conversations to others.
 */
const LOCK_MS = 3000;
const RENEW_MS = LOCK_MS / 2;
/** How often the whole platform looks for locks that have run out. */
const STALLED_CHECK_MS = 500;
/** How often a run is asked whether its lock still holds. */
const LEASE_CHECK_MS = 500;
/** An idle worker asks for jobs this often even if no marker woke it: one that dies may have swallowed it. */
const POLL_S = 2;
/**
 * BullMQ's worker fetches one job after the other, each an fsync of Redis; several fetch faster, since Redis syncs
 * what comes together once. So many conversations are worth a worker, and so many workers a process.
 */
const PLACES_PER_WORKER = 250;
const MOST_WORKERS = 8;
/**
 * How many jobs a worker fetches ahead of their start. BullMQ would fetch as many as there are places before it
 * begins with the first, and it renews only the locks of those begun: 10,000 at once would lose them.
 */
const FETCH_AHEAD = 4;
const REPAIR_EVERY_MS = 60_000;
/** How long a note that a conversation was woken stands; a repair has come by many times then. */
const NOTE_SECONDS = 3600;
/** Small enough for what else is said to Redis to come between. */
const REPAIR_BATCH = 100;
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
  readonly #runs = new Map<string, Run>();
  readonly #adding = new Set<Promise<void>>();
  readonly #reported = new Set<string>();
  readonly #leaseCheck: NodeJS.Timeout;
  #left: Leave | undefined;
  #drained: Promise<void> | undefined;

  constructor(parts: BullmqRunnerParts) {
    this.#parts = parts;
    this.#connection = parts.connect();
    const shared = { connection: this.#connection, prefix: parts.prefix };
    const working = { ...shared, drainDelay: POLL_S, runRetryDelay: 1000, lockDuration: LOCK_MS };
    this.#conversations = new Queue('conversations', shared);
    const workers = Math.min(MOST_WORKERS, Math.ceil(parts.maxActive / PLACES_PER_WORKER));
    this.#workers = Array.from({ length: workers }, (_, index) => {
      const places = Math.floor((parts.maxActive + index) / workers);
      return this.#employ(places, working);
    });
    // A queue of its own, so that a repair waits for no conversation's place and takes none.
    this.#repairs = new Queue('repairs', shared);
    this.#repairer = new Worker('repairs', async () => void (await this.resume()), working);
    this.#watch();
    this.#leaseCheck = setInterval(() => this.#giveUpOverdue(), LEASE_CHECK_MS);
    this.#inBackground(this.#scheduleRepairs());
  }

  #employ(places: number, options: WorkerOptions): Worker {
    let held = 0;
    const setConcurrency = (): void => {
      worker.concurrency = Math.min(places, held + FETCH_AHEAD);
    };
    const hold = async (job: Job, token = ''): Promise<void> => {
      held++;
      setConcurrency();
      await this.#hold(job, token).finally(() => {
        held--;
        setConcurrency();
      });
    };
    const worker = new Worker('conversations', hold, {
      ...options,
      concurrency: Math.min(places, FETCH_AHEAD),
      lockRenewTime: RENEW_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A conversation may outlive any number of crashes; BullMQ would fail it at the second.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    return worker;
  }

  /** Nobody knows beforehand which instance has room. */
  reserve(): undefined {
    return undefined;
  }

  start(conversationId: string): void {
    if (this.#drained) return;
    this.#inBackground(this.#conversations.add(JOB_NAME, {}, jobOptions(conversationId)));
  }

  /**
   * A job that is being completed can't be added again. Therefore a note is left first, which is taken up when a
   * run begins, and looked for when its job is completed.
   */
  wake(conversationId: string): void {
    if (this.#drained) return;
    this.#inBackground(this.#wake(conversationId));
  }

  async #wake(conversationId: string): Promise<void> {
    await this.#connection.set(this.#noteOf(conversationId), '', 'EX', NOTE_SECONDS);
    await this.#conversations.add(JOB_NAME, {}, jobOptions(conversationId));
  }

  async #wakeAgain(conversationId: string): Promise<void> {
    const wasWoken = (await this.#connection.del(this.#noteOf(conversationId))) === 1;
    if (wasWoken) await this.#conversations.add(JOB_NAME, {}, jobOptions(conversationId));
  }

  #noteOf(conversationId: string): string {
    return `${this.#parts.prefix}:woken:${conversationId}`;
  }

  /**
   * Makes sure that every conversation that has not ended has its job. Also done every minute by one of the
   * instances, so that nothing is lost where Redis isn't there now.
   */
  async resume(): Promise<number> {
    const unfinished = await this.#parts.unfinished();
    const missing = await this.#withoutJob(unfinished);
    for (let from = 0; from < missing.length && !this.#left; from += REPAIR_BATCH) {
      await this.#conversations.addBulk(
        missing.slice(from, from + REPAIR_BATCH).map((conversationId) => ({
          name: JOB_NAME,
          data: {},
          opts: jobOptions(conversationId),
        })),
      );
    }
    return unfinished.length;
  }

  /** Looking is a hundredth of the cost of adding in vain, and nearly all have their jobs. */
  async #withoutJob(conversationIds: string[]): Promise<string[]> {
    const look = this.#connection.pipeline();
    for (const conversationId of conversationIds) look.exists(this.#conversations.toKey(conversationId));
    const found = (await look.exec()) ?? [];
    return conversationIds.filter((_, index) => found[index]?.[1] !== 1);
  }

  active(): number {
    return this.#runs.size;
  }

  /** The conversations of all instances, by what becomes of them. */
  async depth(): Promise<{ waiting: number; active: number; delayed: number }> {
    const counts = await this.#conversations.getJobCounts('wait', 'prioritized', 'active', 'delayed');
    const count = (state: string): number => counts[state] ?? 0;
    return {
      waiting: count('wait') + count('prioritized'),
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
    const closing = this.#employed().map((worker) => worker.close(this.#isAway()));
    // Newest first: Redis seeks each in its list of active jobs from that end, and what is handed back last is taken first.
    const leaving = drainRun([...this.#runs.values()].toReversed());
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
    clearInterval(this.#leaseCheck);
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

  /** A job's whole time here: it is completed as its conversation ends, and handed back as that goes on elsewhere. */
  async #hold(job: Job, token: string): Promise<void> {
    const conversationId = job.id ?? '';
    const run = this.#run(conversationId);
    const outcome = await Promise.race([run.ended, run.lost.promise]);
    if (!run.drain.isLeaving) return;
    // A job that can't be handed back is taken as its lock runs out.
    if (outcome === 'ended') await job.moveToWait(token).catch(() => {});
    throw new WaitingError();
  }

  #run(conversationId: string): Run {
    // Its lock was lost, or its job would not be here again; it may still be about to notice.
    const before = this.#runs.get(conversationId);
    if (before) this.#giveUp(before);
    const drain = new Drain();
    // It was being fetched when leaving began.
    if (this.#left) drain.leave();
    const ended = this.#play(conversationId, before?.ended, drain).finally(() => {
      if (this.#runs.get(conversationId) === run) this.#runs.delete(conversationId);
    });
    const run: Run = { drain, lockedAt: performance.now(), lost: Promise.withResolvers(), ended };
    this.#runs.set(conversationId, run);
    return run;
  }

  async #play(conversationId: string, before: Promise<unknown> | undefined, drain: Drain): Promise<'ended'> {
    await before;
    // Before the log is read, so that what is noted from now on is behind it.
    await this.#connection.del(this.#noteOf(conversationId)).catch(() => {});
    void notePlace(this.#parts, conversationId, drain);
    await keepRunning(this.#parts, conversationId, drain);
    return 'ended';
  }

  #giveUp(run: Run): void {
    run.drain.abort();
    run.lost.resolve('lost');
  }

  /** Redis may be out of reach and unable to say that a lock was lost; its time runs out all the same. */
  #giveUpOverdue(): void {
    const latest = performance.now() - LOCK_MS;
    const overdue = [...this.#runs.values()].filter((run) => run.lockedAt < latest && !run.drain.isAborting);
    this.#giveUpAll(overdue, 'were not renewed in time');
  }

  #giveUpAll(runs: Run[], why: string): void {
    if (runs.length === 0) return;
    for (const run of runs) this.#giveUp(run);
    this.#report(
      new Error(`The locks of ${runs.length} conversations ${why}: they go on elsewhere or later`),
    );
  }

  #watch(): void {
    const report = (error: unknown): void => this.#report(error);
    for (const queue of [this.#conversations, this.#repairs]) queue.on('error', report);
    for (const worker of this.#employed()) worker.on('error', report);
    for (const worker of this.#workers) {
      worker.on('completed', ({ id = '' }) => this.#inBackground(this.#wakeAgain(id)));
      worker.on('locksRenewed', ({ jobIds }) => {
        const now = performance.now();
        for (const run of this.#runsOf(jobIds)) run.lockedAt = now;
      });
      worker.on('lockRenewalFailed', (jobIds) => this.#giveUpAll(this.#runsOf(jobIds), 'were lost'));
    }
  }

  #runsOf(conversationIds: string[]): Run[] {
    return conversationIds.flatMap((conversationId) => this.#runs.get(conversationId) ?? []);
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
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (this.#left) return;
    const message = error instanceof Error ? error.message : String(error);
    // Told of all together by `lockRenewalFailed`.
    if (message.startsWith('could not renew lock for job') || this.#reported.has(message)) return;
    this.#reported.add(message);
    setTimeout(() => this.#reported.delete(message), 1000).unref();
    this.#parts.onTrouble(error);
  }
}

const JOB_NAME = 'conversation';

/** Adding a job with the id of one that is there changes nothing. */
function jobOptions(conversationId: string) {
  return { jobId: conversationId, removeOnComplete: true, removeOnFail: true };
}
