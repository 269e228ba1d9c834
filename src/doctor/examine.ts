import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Config, readConfig } from '../config/config.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { LocalLive } from '../live/local.ts';
import { readSqliteStorage } from '../storage/sqlite/storage.ts';
import { askAgents } from './agents.ts';
import { type Finding, fault, ok, unknown } from './findings.ts';
import { askVendors } from './vendors.ts';

const MINIMUM_NODE = 26;
const LEAST_FREE_BYTES = 500 * 1024 * 1024;
/** By how much a clock may differ before times in the log mislead, in milliseconds. */
const CLOCK_TOLERANCE_MS = 30_000;

/** Looks at what a server started here would need, without changing any of it. */
export async function* examine(environment: NodeJS.ProcessEnv): AsyncGenerator<Finding, void, undefined> {
  yield node();
  let config: Config;
  try {
    config = readConfig(environment);
    yield ok('configuration', 'every variable has a value that it takes');
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    for (const line of error.faults)
      yield fault('configuration', line, 'correct it in the environment or in .env');
    return;
  }
  yield* disk(config.DATA_DIR);
  if (config.REDIS_URL) yield* redis(config);
  else yield database(config.DATA_DIR);
  const answers = await askVendors(config);
  for (const { finding } of answers) yield finding;
  if (answers.length === 0) {
    yield unknown('keys', 'no vendor is configured; the embedded pair talks without a key');
  }
  yield* await askAgents(config);
  yield clock(answers.flatMap(({ clockDifferenceMs }) => clockDifferenceMs ?? []));
}

function node(): Finding {
  const { node: version } = process.versions;
  if (Number.parseInt(version, 10) >= MINIMUM_NODE) return ok('Node', version);
  return fault('Node', `${version} is too old`, `install Node ${MINIMUM_NODE}`);
}

function* disk(folder: string): Generator<Finding, void, undefined> {
  const there = nearestFolder(resolve(folder));
  try {
    accessSync(there, constants.W_OK);
  } catch {
    yield fault('disk', `${there} can't be written`, 'change its owner, or set DATA_DIR to another folder');
    return;
  }
  const { bavail, bsize } = statfsSync(there);
  const free = bavail * bsize;
  const amount = `${Math.floor(free / 1024 / 1024).toLocaleString('en')} MiB are free at ${there}`;
  if (free >= LEAST_FREE_BYTES) yield ok('disk', amount);
  else yield fault('disk', amount, 'make room, or set DATA_DIR to another disk');
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

function database(folder: string): Finding {
  try {
    readSqliteStorage(folder, new LocalLive()).close();
    return ok('database', `${folder} can be read`);
  } catch (error) {
    return fault('database', (error as Error).message, 'what to do stands in docs/runbook.md');
  }
}

async function* redis(config: Config): AsyncGenerator<Finding, void, undefined> {
  const { openDistributed } = await import('../backends/distributed.ts');
  const backend = openDistributed(
    config.REDIS_URL?.reveal() ?? '',
    config.DATA_DIR,
    Infinity,
    { onAppend: () => {}, onTrouble: () => {}, onFallback: () => {}, onRecovery: () => {} },
    {},
  );
  try {
    await backend.assertUsable();
    yield ok('Redis', 'it answers');
    const warning = await backend.durabilityWarning();
    yield warning === undefined
      ? ok('Redis', 'it keeps what it acknowledges')
      : fault('Redis', warning, 'set it so in redis.conf; docs/going-to-production.md');
  } catch (error) {
    yield fault('Redis', (error as Error).message, 'start it, or correct REDIS_URL');
  } finally {
    await backend.close();
  }
}

function clock(differencesMs: readonly number[]): Finding {
  const [nearest] = [...differencesMs].sort((left, right) => Math.abs(left) - Math.abs(right));
  if (nearest === undefined) return unknown('clock', 'nobody told the time, so it was not compared');
  const seconds = Math.round(nearest / 1000);
  if (Math.abs(nearest) <= CLOCK_TOLERANCE_MS)
    return ok('clock', `within ${Math.abs(seconds)} s of a vendor's`);
  const how = seconds > 0 ? 'behind' : 'ahead of';
  return fault('clock', `${Math.abs(seconds)} s ${how} a vendor's`, 'have it set over the network (NTP)');
}
