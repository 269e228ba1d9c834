import { Cluster, Redis } from 'ioredis';
import { nodeConnector } from './node-connector.ts';
import { parseRedisUrl, type RedisTarget } from './url.ts';

/** A connection to Redis: one server, whoever is master behind Sentinels, or a cluster. */
export type RedisClient = Redis | Cluster;

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;
/** A connection that owes answers and brings nothing for so long is given up, in milliseconds. */
const SILENCE_MS = 4000;

/**
 * Connects, and connects again for ever, with growing pauses. What can't be sent meanwhile fails after the
 * second try, and what was sent without an answer is not sent again: whoever asked decides that. A patient
 * connection keeps what can't be sent until it can, and sends again what was not answered, as BullMQ wants it: it
 * would else never be answered, since nothing is given up there.
 *
 * @param url one of `redis://[user:password@]host[:port][/database]`, `redis+sentinel://…host,host/master[/database]`,
 * `redis+cluster://…host,host`; with TLS each begins with `rediss`
 * @param onError told of each failure to connect
 * @throws Error with one line where the URL is not one; it never repeats the URL, which may hold a password
 */
export function connect(
  url: string,
  onError: (error: Error) => void,
  { patient = false }: { patient?: boolean } = {},
): RedisClient {
  const target = parseRedisUrl(url);
  const { kind, tls, addresses, master, database } = target;
  const options = optionsOf(target, patient ? null : 1);
  const client =
    kind === 'cluster'
      ? connectCluster(addresses, options)
      : new Redis({
          ...options,
          ...(kind === 'sentinel'
            ? { sentinels: [...addresses], name: master, enableTLSForSentinelMode: tls }
            : addresses[0]),
          db: database,
          retryStrategy: pause,
          sentinelRetryStrategy: pause,
        });
  client.on('error', onError);
  return client;
}

/**
 * Connects as `connect` does, to hear what is published. On a cluster it listens on one node, as each hears all that
 * is published on any, and goes to the next where that one is lost. ioredis' cluster would do so without a word, and
 * nobody would ask for what was missed.
 *
 * @param client a connection to the same Redis, which knows the nodes of a cluster
 */
export function connectListener(url: string, client: RedisClient, onError: (error: Error) => void): Redis {
  const target = parseRedisUrl(url);
  if (!(client instanceof Cluster)) return connect(url, onError) as Redis;
  let turn = Math.floor(Math.random() * target.addresses.length);
  let node = target.addresses[0];
  const next = () => {
    const known = client.nodes('all').map(({ options: { host = '', port = 0 } }) => ({ host, port }));
    const nodes = known.length > 0 ? known : target.addresses;
    return (node = nodes[turn++ % nodes.length] as (typeof nodes)[number]);
  };
  const listener = new Redis({
    ...optionsOf(target, 1),
    retryStrategy: pause,
    Connector: nodeConnector(next, target.tls),
  });
  listener.on('error', onError);
  // A node that has left the cluster hears nothing more, and says nothing of it.
  client.on('-node', ({ options: { host, port } }: Redis) => {
    if (node?.host === host && node?.port === port) listener.disconnect(true);
  });
  return listener;
}

function optionsOf({ tls, username, password }: RedisTarget, maxRetriesPerRequest: number | null) {
  return {
    username,
    password,
    connectTimeout: 2000,
    socketTimeout: SILENCE_MS,
    maxRetriesPerRequest,
    autoResendUnfulfilledCommands: maxRetriesPerRequest === null,
    // Whoever subscribed does it again and sees whether it fails; of its own tries nobody could.
    autoResubscribe: false,
    // After a failover the old master answers READONLY until the connection is made anew.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
    ...(tls ? { tls: {} } : {}),
  };
}

function connectCluster(addresses: RedisTarget['addresses'], options: ReturnType<typeof optionsOf>): Cluster {
  const cluster = new Cluster([...addresses], {
    redisOptions: options,
    clusterRetryStrategy: pause,
    // As long as a connection may take: a busy machine answers late, and is not to be given up for it.
    slotsRefreshTimeout: 2000,
    // Certificates are for names: https://github.com/redis/ioredis#special-note-aws-elasticache-clusters-with-tls
    ...(options.tls ? { dnsLookup: (address, done) => done(null, address) } : {}),
  });
  // While no node can be reached, its queue has no bound, and what was given up is sent at the end all the same.
  cluster.once('ready', () => {
    cluster.options.enableOfflineQueue = false;
  });
  return cluster;
}

function pause(times: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10), LAST_RETRY_MS);
}
