import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../src/storage/redis/url.ts';

const HOST = { host: 'localhost', port: 6379 };
const SERVER = {
  kind: 'server',
  tls: false,
  username: undefined,
  password: undefined,
  addresses: [HOST],
  master: '',
  database: 0,
};

describe('REDIS_URL', () => {
  it.each([
    ['redis://localhost', {}],
    ['redis://localhost:6379/', {}],
    ['redis://127.0.0.1:7000/3', { addresses: [{ host: '127.0.0.1', port: 7000 }], database: 3 }],
    ['redis://[::1]:7000', { addresses: [{ host: '::1', port: 7000 }] }],
    ['rediss://localhost', { tls: true }],
    ['redis://:se%40cret@localhost', { password: 'se@cret' }],
    ['redis://me:a:b/c@localhost', { username: 'me', password: 'a:b/c' }],
    [
      'redis+sentinel://:pw@a:1,b/main/2',
      {
        kind: 'sentinel',
        password: 'pw',
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
        master: 'main',
        database: 2,
      },
    ],
    [
      'rediss+cluster://a,b:2',
      {
        kind: 'cluster',
        tls: true,
        addresses: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('takes %s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ ...SERVER, ...expected });
  });

  it.each([
    '',
    'localhost:6379',
    'http://localhost',
    'redis://',
    'redis://localhost:99999',
    'redis://localhost:port',
    'redis://a,b',
    'redis://localhost/x',
    'redis://localhost/1/2',
    'redis+sentinel://a',
    'redis+cluster://a/1',
    'redis://me:%zz@localhost',
  ])('refuses %j in one line, without repeating a password', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/^(takes|has|lacks) [^\n]+$/);
    expect(() => parseRedisUrl(url)).not.toThrow(/%zz/);
  });
});
