import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.ts';

/**
 * How late the event loop may be, in milliseconds, on average over a second. A server that is later than this only
 * adds to its queue by taking more.
 */
const MOST_DELAY_MS = 2500;
const SAMPLE_MS = 1000;
/**
 * The share of a core that a process uses where it is late by its own work. One that is late since others have the
 * machine serves nobody better by refusing.
 */
const OWN_WORK = 0.5;
/** A start loads all modules, and is late for as long. */
const STARTING_MS = 10_000;
const RETRY_AFTER_SECONDS = 5;

/** Has the routes of a scope refuse what comes while the process can't keep up. */
export async function refuseUnderPressure(scope: FastifyInstance): Promise<void> {
  let isWorking = false;
  let before = { cpu: process.cpuUsage(), at: performance.now() };
  const sampling = setInterval(() => {
    const now = { cpu: process.cpuUsage(), at: performance.now() };
    const usedMs = (now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system) / 1000;
    isWorking = now.at > STARTING_MS && usedMs / (now.at - before.at) > OWN_WORK;
    before = now;
  }, SAMPLE_MS).unref();
  scope.addHook('onClose', (_app, done) => {
    clearInterval(sampling);
    done();
  });
  await scope.register(underPressure, {
    maxEventLoopDelay: MOST_DELAY_MS,
    sampleInterval: SAMPLE_MS,
    pressureHandler: () => {
      if (!isWorking) return;
      throw new AppError('overloaded', 'The server is too busy', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    },
  });
}
