import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Sender } from '../../src/doors/webhooks/sender.ts';
import { AddressRefused, guardAddresses, type Resolve } from '../../src/security/outgoing.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { addressOf } from '../fixtures/scripted-server.ts';

/** All lead to this machine, to its neighbours, or to nobody on the internet. */
const FORBIDDEN = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://127.0.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0x7f.0.0.1/',
  'http://0177.0.0.1/',
  'http://017700000001/',
  'http://127.255.255.254/',
  'http://①②⑦.⓪.⓪.①/',
  'http://%31%32%37.0.0.1/',
  'http://0.0.0.0/',
  'http://0/',
  'http://10.0.0.1/',
  'http://10.255.255.255/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://169.254.169.254/latest/meta-data/',
  'http://0xa9fea9fe/',
  'http://168.63.129.16/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.7/',
  'http://203.0.113.9/',
  'http://224.0.0.1/',
  'http://240.0.0.1/',
  'http://255.255.255.255/',
  'http://[::1]/',
  'http://[::]/',
  'http://[0:0:0:0:0:0:0:1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b:1::1]/',
  'http://[2002:7f00:1::]/',
  'http://[2001:0:1::1]/',
  'http://[2001:db8::1]/',
  'http://[fc00::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
  'http://localhost/',
  'http://LOCALHOST./',
] as const;

const message = (url: string) => ({ id: 'msg_1', url, body: '{}', secrets: [`whsec_${'a'.repeat(32)}`] });
const never = new AbortController().signal;

function senderWith(allowPrivate: boolean, resolve?: Resolve, answerMs = 15_000): Sender {
  const sender = new Sender(guardAddresses(allowPrivate, resolve), answerMs);
  onTestFinished(() => sender.close());
  return sender;
}

/** Counts the connections that a listener on this machine gets. */
async function listener() {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: addressOf(server), connections: () => connections };
}

describe('12: addresses of webhooks', () => {
  it.each(FORBIDDEN)('%s is refused, and not connected to', async (url) => {
    const { port } = new URL((await listener()).url);
    const there = new URL(url);
    there.port = port;
    await expect(guardAddresses(false).assertAllowed(there.href)).rejects.toBeInstanceOf(AddressRefused);
    const { status, error } = await senderWith(false).send(message(there.href), never);
    expect(status).toBeNull();
    expect(error).toMatch(/not public|no address/);
  });

  it('of the internet are allowed', async () => {
    for (const url of ['http://93.184.216.34/', 'https://[2606:2800:220:1:248:1893:25c8:1946]/']) {
      await expect(guardAddresses(false).assertAllowed(url)).resolves.toBeUndefined();
    }
  });

  it.each([
    ['a name that leads here', async () => [{ address: '127.0.0.1', family: 4 }]],
    [
      'a name that leads here, too',
      async () => [
        { address: '93.184.216.34', family: 4 },
        { address: '::1', family: 6 },
      ],
    ],
    ['a name of a mapped address', async () => [{ address: '::ffff:10.0.0.1', family: 6 }]],
    ['a name of none', async () => []],
  ] satisfies [string, Resolve][])('%s is refused', async (_, resolve) => {
    const there = await listener();
    const url = there.url.replace('127.0.0.1', 'rebound.example');
    const { status } = await senderWith(false, resolve).send(message(url), never);
    expect([status, there.connections()]).toEqual([null, 0]);
  });

  it('are judged again where they are connected to: a name that changes its mind gains nothing', async () => {
    const there = await listener();
    let asked = 0;
    const resolve: Resolve = async () => [
      { address: asked++ === 0 ? '93.184.216.34' : '127.0.0.1', family: 4 },
    ];
    const url = there.url.replace('127.0.0.1', 'rebound.example');
    const { status, error } = await senderWith(false, resolve).send(message(url), never);
    expect({ status, error, asked, connections: there.connections() }).toEqual({
      status: null,
      error: expect.stringContaining('not public'),
      asked: 2,
      connections: 0,
    });
  });

  it('may be of this machine where that is allowed; redirects are not followed, and time is bounded', async () => {
    const elsewhere = await listener();
    const receiver = await startReceiver(({ id }) =>
      id === 'msg_1' ? { status: 307, location: elsewhere.url } : 'hang',
    );
    onTestFinished(() => receiver[Symbol.asyncDispose]());
    const sender = senderWith(true, undefined, 300);
    const body = JSON.stringify({ type: 'x', data: {} });
    expect(await sender.send({ ...message(receiver.url), body }, never)).toEqual({
      status: 307,
      error: null,
    });
    expect(elsewhere.connections()).toBe(0);
    const hung = await sender.send({ ...message(receiver.url), id: 'msg_2', body }, never);
    expect(hung).toEqual({ status: null, error: 'no answer within 0.3 s' });
  });
});
