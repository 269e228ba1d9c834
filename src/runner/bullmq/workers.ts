import { type Job, Worker, type WorkerOptions } from 'bullmq';
import { LOCK_MS } from './runs.ts';

const RENEW_MS = LOCK_MS / 2;
/** How often the whole platform looks for locks that have run out. */
const STALLED_CHECK_MS = 500;
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

/** What all workers have in common. */
export const WORKING = { drainDelay: POLL_S, runRetryDelay: 1000, lockDuration: LOCK_MS };

/** The workers that share a process's places for conversations. */
export function employ(
  maxActive: number,
  hold: (job: Job, token: string) => Promise<void>,
  connection: Pick<WorkerOptions, 'connection' | 'prefix'>,
): Worker[] {
  const workers = Math.min(MOST_WORKERS, Math.ceil(maxActive / PLACES_PER_WORKER));
  return Array.from({ length: workers }, (_, index) =>
    employOne(Math.floor((maxActive + index) / workers), hold, connection),
  );
}

function employOne(
  places: number,
  hold: (job: Job, token: string) => Promise<void>,
  connection: Pick<WorkerOptions, 'connection' | 'prefix'>,
): Worker {
  let held = 0;
  const setConcurrency = (): void => {
    worker.concurrency = Math.min(places, held + FETCH_AHEAD);
  };
  const process = async (job: Job, token = ''): Promise<void> => {
    held++;
    setConcurrency();
    await hold(job, token).finally(() => {
      held--;
      setConcurrency();
    });
  };
  const worker = new Worker('conversations', process, {
    ...connection,
    ...WORKING,
    concurrency: Math.min(places, FETCH_AHEAD),
    lockRenewTime: RENEW_MS,
    stalledInterval: STALLED_CHECK_MS,
    // A conversation may outlive any number of crashes; BullMQ would fail it at the second.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
  });
  return worker;
}
