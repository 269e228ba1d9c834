import { Cluster } from 'ioredis';
import type { RedisClient } from './connection.ts';
import { defineScript } from './scripts.ts';

export interface Publisher {
  isCluster: boolean;
  on(event: 'close' | 'ready', listener: () => void): unknown;
  /** Gives how many heard it; on a cluster, of those on the same node. */
  publish(channel: string, message: string): Promise<number>;
}

/**
 * Publishes so that what is said of one conversation is heard in the order of saying, its events included. A cluster
 * keeps that order for what is published on one of its nodes, and ioredis would choose any for each message.
 */
export function publisherOf(client: RedisClient): Publisher {
  if (!(client instanceof Cluster)) return client;
  const publish = defineScript(client, 'publish_with_key', new URL('./scripts/publish.lua', import.meta.url));
  return {
    isCluster: true,
    on: (event, listener) => client.on(event, listener),
    publish: async (channel, message) => (await publish([channel], [message])) as number,
  };
}
