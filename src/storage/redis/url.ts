export interface RedisTarget {
  kind: 'server' | 'sentinel' | 'cluster';
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
  addresses: readonly { host: string; port: number }[];
  /** The name that the Sentinels know the master by. */
  master: string;
  database: number;
}

const DEFAULT_PORT = { server: 6379, sentinel: 26379, cluster: 6379 };
const URL_FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@]*)@)?([^/@?#]+)(?:\/([^?#]*))?$/;
const ADDRESS_FORM = /^(\[[\da-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/i;

/**
 * Reads a REDIS_URL; see `connect` for its forms.
 *
 * @throws Error with one line that says what it takes
 */
export function parseRedisUrl(url: string): RedisTarget {
  const [, scheme, form, login, hosts, path = ''] = URL_FORM.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new Error(
      'takes redis://host:port/database, redis+sentinel://host:port,host:port/master or ' +
        'redis+cluster://host:port,host:port; with TLS each begins with rediss',
    );
  }
  const kind = (form ?? 'server') as RedisTarget['kind'];
  const addresses = hosts.split(',').map((address) => {
    const [, host, port] = ADDRESS_FORM.exec(address) ?? [];
    const number = port === undefined ? DEFAULT_PORT[kind] : Number(port);
    if (host === undefined || number > 65535) throw new Error('has an address that is not host:port');
    return { host: host.replace(/^\[|\]$/g, ''), port: number };
  });
  if (kind === 'server' && addresses.length > 1) {
    throw new Error('has several addresses: say redis+cluster:// or redis+sentinel://');
  }
  const segments = path.split('/').filter((segment) => segment !== '');
  const master = kind === 'sentinel' ? segments.shift() : '';
  if (master === undefined) throw new Error("lacks the master's name: redis+sentinel://host:port/master");
  const database = segments.shift() ?? '0';
  if (!/^\d{1,5}$/.test(database) || segments.length > 0) throw new Error('has a database that is no number');
  if (kind === 'cluster' && database !== '0') throw new Error('has a database, which a cluster has not');
  const { username, password } = credentials(login);
  return {
    kind,
    tls: scheme === 'rediss',
    username,
    password,
    addresses,
    master: decodeURIComponent(master),
    database: Number(database),
  };
}

function credentials(login: string | undefined): Pick<RedisTarget, 'username' | 'password'> {
  if (login === undefined) return { username: undefined, password: undefined };
  const [username = '', ...password] = login.split(':');
  try {
    return {
      username: decodeURIComponent(username) || undefined,
      password: decodeURIComponent(password.join(':')) || undefined,
    };
  } catch {
    throw new Error('has a user or password with a % that is not followed by two hex digits');
  }
}
