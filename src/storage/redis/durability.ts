import { Cluster } from 'ioredis';
import { StorageRefusal } from '../../conversation/log/refusal.ts';
import { answered, isRefusal } from './answers.ts';
import type { RedisClient } from './connection.ts';

/** What keeps everything that was acknowledged, and what is lost without it. */
const NEEDED = [
  { name: 'appendonly', value: 'yes', otherwise: 'a restart of Redis loses what was acknowledged' },
  { name: 'appendfsync', value: 'always', otherwise: 'a power cut loses the last moments' },
  { name: 'maxmemory-policy', value: 'noeviction', otherwise: 'conversations vanish when memory is short' },
];

/**
 * Asks Redis whether it keeps what it acknowledges. Gives one line that says what is wrong, or that it could not
 * be found out; undefined where all is well.
 *
 * @throws AppError `overloaded` where Redis doesn't answer
 */
export async function durabilityWarning(client: RedisClient): Promise<string | undefined> {
  // A cluster knows its nodes once it has answered.
  await answered(client.exists('durability'));
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  const faults = new Set<string>();
  try {
    for (const node of nodes) {
      for (const { name, value, otherwise } of NEEDED) {
        const [, found] = await answered(node.config('GET', name));
        if (found !== value) faults.add(`${name} is ${found}, not ${value}: ${otherwise}`);
      }
    }
  } catch (error) {
    if (!isRefusal(error) && !(error instanceof StorageRefusal)) throw error;
    const needed = NEEDED.map(({ name, value }) => `${name} ${value}`).join(', ');
    return `Redis does not say how it is set (${error.message}); make sure of ${needed}`;
  }
  return faults.size === 0 ? undefined : `Redis may lose data: ${[...faults].join('; ')}`;
}
