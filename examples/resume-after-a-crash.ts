/** Kills a server in the middle of a turn, starts it again, and misses nothing. It runs a server of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect } from './server.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'aic-example-'));

async function serve(port: number): Promise<{ server: ChildProcess; port: number }> {
  const server = spawn(process.execPath, [MAIN], {
    env: { ...process.env, DATA_DIR: folder, PORT: String(port), LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    const said = JSON.parse(line) as { event: string; port: number };
    if (said.event === 'server.listening') return { server, port: said.port };
  }
  throw new Error('The server ended before it listened.');
}

const first = await serve(0);
const client = connect(`http://127.0.0.1:${first.port}`);
const { id } = await client.createConversation({ topic: 'What do clocks measure?', maxTurns: 6 });
let second: ChildProcess | undefined;

const turns: number[] = [];
// The client comes back by itself, with its cursor.
for await (const frame of client.watch(id)) {
  if (frame.type === 'message') turns.push(frame.message.turn);
  if (frame.type === 'turn.delta' && frame.turn === 3 && !second) {
    first.server.kill('SIGKILL');
    await once(first.server, 'close');
    console.log(`killed in turn ${frame.turn}`);
    second = (await serve(first.port)).server;
  }
}
console.log(`turns: ${turns.join(', ')}`);
second?.kill('SIGTERM');
if (second) await once(second, 'close');
await rm(folder, { recursive: true, force: true });
