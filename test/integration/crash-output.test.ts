import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

const CONFIGURED = 'very/Secret+value="quoted"-of-nobody';
const VENDORS = `sk-ant-api03-${'a1B2'.repeat(12)}`;
const OWN = `aic_${'x7_'.repeat(14)}y`;
const { privateKey: PEM } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

/** What no part of it may be in what a process says. */
const SECRETS = [
  CONFIGURED,
  Buffer.from(CONFIGURED).toString('base64').slice(0, -4),
  encodeURIComponent(CONFIGURED),
  CONFIGURED.replaceAll('"', '\\"'),
  VENDORS,
  OWN,
  'hunter2-hunter2',
  ...PEM.split('\n').filter((line) => line !== '' && !line.startsWith('-----')),
];

const FAULT = {
  message: `refused: authorization: Bearer ${CONFIGURED}, then ${VENDORS}`,
  request: {
    url: `https://api.example/v1?key=${encodeURIComponent(CONFIGURED)}&more=1`,
    headers: { 'x-api-key': CONFIGURED, cookie: Buffer.from(CONFIGURED).toString('base64') },
    body: JSON.stringify({ key: CONFIGURED, deep: JSON.stringify({ OWN }) }),
  },
  cause: { database: 'postgres://ada:hunter2-hunter2@db.example/talks', tls: { key: PEM } },
};

/** Ends the process as a fault in it would, at a signal. */
const WAYS = {
  'a promise that nobody waits for': 'Promise.reject(Object.assign(new Error(fault.message), fault))',
  'an error that nobody catches':
    'setImmediate(() => { throw Object.assign(new Error(fault.message), fault, { cause: fault.cause }) })',
  'a throw of what is no error': 'setImmediate(() => { throw fault })',
  'a rejection with a text': 'Promise.reject(JSON.stringify(fault))',
};

it.each(Object.entries(WAYS))(
  '8.7: a process that crashes by %s says why without any secret',
  async (_way, code) => {
    const preload = join(temporaryFolder(), 'preload.mjs');
    writeFileSync(
      preload,
      `const fault = ${JSON.stringify(FAULT)}; process.on('SIGUSR2', () => { ${code}; });`,
    );
    const server = await startServer({
      ANTHROPIC_API_KEY: CONFIGURED,
      NODE_OPTIONS: `--import ${preload}`,
    });
    const gone = once(server.process, 'close');
    server.process.kill('SIGUSR2');
    expect((await gone)[0]).toBe(1);
    const said = server.errors() + JSON.stringify(server.log);
    expect(server.errors()).toMatch(/refused: authorization: Bearer \[masked\]/);
    expect(SECRETS.filter((secret) => said.includes(secret))).toEqual([]);
  },
);
