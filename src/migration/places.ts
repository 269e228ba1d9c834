import type { ConversationArchive } from '../storage/archive.ts';
import { RedisArchive } from '../storage/redis/archive.ts';
import { connect } from '../storage/redis/connection.ts';
import { PLATFORM_PREFIX } from '../storage/redis/keys.ts';
import { parseRedisUrl } from '../storage/redis/url.ts';
import { openSqliteArchive } from '../storage/sqlite/archive.ts';

/** Where conversations are kept. */
export interface Place {
  /** For people; without a password. */
  name: string;
  open(mode: 'source' | 'target'): ConversationArchive;
}

/**
 * Reads `sqlite:PATH`, the DATA_DIR of a server, or `redis:URL`, a REDIS_URL; the URL alone will do, and without
 * one it is the REDIS_URL of the environment, since what stands in arguments is seen by others.
 *
 * @throws TypeError with one line that says what it takes
 */
export function parsePlace(text: string, environment: NodeJS.ProcessEnv): Place {
  const [, scheme, rest = ''] = /^(sqlite|redis):(?!\/\/)(.*)$/s.exec(text) ?? [];
  if (scheme === 'sqlite') {
    if (rest === '') throw new TypeError('sqlite: lacks the folder: sqlite:PATH');
    const holder = `process ${process.pid}, a migration, started ${new Date().toISOString()}`;
    return { name: text, open: (mode) => openSqliteArchive(rest, holder, mode) };
  }
  const url = (scheme === 'redis' ? rest : text) || environment['REDIS_URL'];
  if (!url || !/^(redis:|rediss?(\+\w+)?:\/\/)/.test(text)) {
    throw new TypeError('takes sqlite:PATH or redis:URL; redis: alone is the REDIS_URL of the environment');
  }
  let addresses: string[];
  try {
    addresses = parseRedisUrl(url).addresses.map(({ host, port }) => `${host}:${port}`);
  } catch (error) {
    throw new TypeError(`the URL of Redis ${(error as Error).message}`, { cause: error });
  }
  return {
    name: `redis at ${addresses.join(', ')}`,
    // What fails says so where it is asked for.
    open: () =>
      new RedisArchive(
        connect(url, () => {}),
        PLATFORM_PREFIX,
      ),
  };
}
