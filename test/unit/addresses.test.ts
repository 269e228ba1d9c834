import { describe, expect, it } from 'vitest';
import { type AddressPolicy, isLoopback, isOwnHost, mayAct } from '../../src/security/addresses.ts';

const policy = (extra: Partial<AddressPolicy> = {}): AddressPolicy => ({
  host: '127.0.0.1',
  allowedHosts: [],
  allowedOrigins: [],
  hasKeys: false,
  ...extra,
});

describe('8.1: the server is asked by', () => {
  it.each([
    'localhost',
    'localhost:8080',
    'LocalHost:8080',
    'localhost.',
    'app.localhost:3000',
    '127.0.0.1',
    '127.0.0.1:8080',
    '127.8.9.10:80',
    '[::1]',
    '[::1]:8080',
  ])('a name of this machine: %s', (host) => {
    expect(isOwnHost(host, policy())).toBe(true);
  });

  it.each([
    undefined,
    '',
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'notlocalhost',
    '128.0.0.1',
    '0.0.0.0',
    '[::2]',
    '::1',
    'localhost@evil.example',
    'evil.example@localhost',
    'localhost/evil.example',
    'localhost evil.example',
    'localhost:80:80',
    'localhost, evil.example',
    '.',
    'a'.repeat(100_000),
  ])('no other: %s', (host) => {
    expect(isOwnHost(host, policy())).toBe(false);
  });

  it('HOST itself, and what is listed', () => {
    const own = policy({ host: '0.0.0.0', allowedHosts: ['talks.example', '[2001:db8::7]', '10.0.0.7'] });
    for (const host of [
      '0.0.0.0:8080',
      'talks.example',
      'Talks.Example:443',
      '[2001:DB8::7]:8080',
      '10.0.0.7',
    ]) {
      expect([host, isOwnHost(host, own)]).toEqual([host, true]);
    }
    for (const host of ['more.talks.example', 'talks.example.evil', '10.0.0.8']) {
      expect([host, isOwnHost(host, own)]).toEqual([host, false]);
    }
    expect(isOwnHost('[fe80::1]', policy({ host: 'fe80::1' }))).toBe(true);
    for (const host of ['evil.example', undefined]) {
      expect(isOwnHost(host, policy({ allowedHosts: ['*'] }))).toBe(true);
    }
  });
});

describe('8.2: may act', () => {
  it.each([
    [undefined, 'localhost:8080'],
    ['http://localhost:8080', 'localhost:8080'],
    ['http://LOCALHOST:8080', 'localhost:8080'],
    ['http://localhost', 'localhost'],
    ['http://localhost', 'localhost:80'],
    ['https://talks.example', 'talks.example'],
    ['https://talks.example', 'talks.example:443'],
    ['http://[::1]:8080', '[::1]:8080'],
    ['https://app.example', 'talks.example'],
  ])('a page of %s on %s', (origin, host) => {
    expect(mayAct(origin, host, policy({ allowedOrigins: ['https://app.example'] }))).toBe(true);
  });

  it.each([
    ['http://evil.example', 'localhost:8080'],
    ['http://localhost:3000', 'localhost:8080'],
    ['https://localhost', 'localhost:80'],
    ['http://127.0.0.1:8080', 'localhost:8080'],
    ['http://app.example', 'talks.example'],
    ['https://app.example:444', 'talks.example'],
    ['https://app.example.evil', 'talks.example'],
    ['null', 'localhost:8080'],
    ['', 'localhost:8080'],
    ['file://', 'localhost:8080'],
    ['localhost:8080', 'localhost:8080'],
    ['http://localhost:8080', undefined],
  ])('no page of %s on %s', (origin, host) => {
    expect(mayAct(origin, host, policy({ allowedOrigins: ['https://app.example'] }))).toBe(false);
  });
});

it('8.1: only loopback addresses are reached from this machine alone', () => {
  expect(['localhost', '127.0.0.1', '127.9.9.9', '::1'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', 'app.localhost', 'example.org', '127.evil.example'].some(isLoopback)).toBe(false);
});
