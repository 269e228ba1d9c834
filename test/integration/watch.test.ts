import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newestConversation } from '../../src/cli/newest.ts';
import { Printer } from '../../src/cli/printer.ts';
import { createClient } from '../../src/client/client.ts';
import {
  CONVERSATION,
  created,
  delta,
  failed,
  message,
  started,
  TALK,
  terminated,
} from '../fixtures/frames.ts';
import { problem, ScriptedServer } from '../fixtures/scripted-server.ts';

const NO_COLOURS = { said: false, aside: false };

let server: ScriptedServer;
const running = new Set<() => void>();
beforeEach(async () => {
  server = await ScriptedServer.start();
  server.answer = ({ path }) => ({
    status: 200,
    body: path.startsWith('/conversations?') ? { items: [{ id: CONVERSATION }], nextCursor: null } : {},
  });
});
afterEach(async () => {
  for (const stop of running) stop();
  await server[Symbol.asyncDispose]();
});

/** The command as a process of its own. */
function watch(...given: string[]) {
  const { AIC_API_KEY: _, NO_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, ['src/aic.ts', 'watch', ...given], {
    env: { ...env, AIC_SERVER: server.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(() => child.kill('SIGKILL'));
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text));
  return {
    output,
    /** Resolves when this text has been printed. */
    async printed(text: string): Promise<void> {
      while (!output.out.includes(text)) await once(child.stdout, 'data');
    },
    async said(text: string): Promise<void> {
      while (!output.err.includes(text)) await once(child.stderr, 'data');
    },
    interrupt: () => child.kill('SIGINT'),
    exit: once(child, 'close').then(([code]: unknown[]) => code),
  };
}

describe('aic watch', () => {
  it('15: prints what is said as it is spoken on standard output, all else on standard error', async () => {
    const watching = watch(CONVERSATION);
    const { send, after } = await server.nextStream();
    expect(after).toBeNull();
    send(created('Is it?'), message(0, 'Moderator', 'Is it?'), started(1, 'Ada'), delta(1, 'Ada', 'It '));
    await watching.printed('Ada (eliza): It ');
    send(failed(1, 'Ada', 2000));
    await watching.said('trying again in 2 s]\n');
    send(started(1, 'Ada', 'again'), delta(1, 'Ada', 'It ', 'again'), delta(1, 'Ada', 'is.', 'again'));
    await watching.printed('Ada (eliza): It is.');
    send(message(1, 'Ada', 'It is.'), message(2, 'Bob', 'Oh.'), terminated(5));
    expect(await watching.exit).toBe(0);
    expect(watching.output).toEqual({
      out: 'Moderator: Is it?\nAda (eliza): It \nAda (eliza): It is.\nBob (eliza): Oh.\n',
      err:
        `Topic: Is it?\n${CONVERSATION}\n\n` +
        '[attempt failed: no answer; trying again in 2 s]\n' +
        '\nEnded: max_turns (2 of 2), by system. 2 turns, 2,014 tokens (2,000 in, 14 out), price unknown.\n' +
        '  Ada  1 turn  1,007 tokens  price unknown\n' +
        '  Bob  1 turn  1,007 tokens  price unknown\n',
    });
  });

  it('goes on in the middle of a line when the connection breaks', async () => {
    const watching = watch(CONVERSATION);
    const first = await server.nextStream();
    first.send(...TALK.slice(0, 4));
    await watching.printed('It ');
    first.close(1001);
    const second = await server.nextStream();
    expect(second.after).toBe('a1+It ');
    second.send(...TALK.slice(4));
    expect(await watching.exit).toBe(0);
    expect(watching.output.out).toContain('\nAda (eliza): It is.\nBob (eliza): Oh.\n');
  });

  it('watches the newest conversation when none is named', async () => {
    let asked = 0;
    const answer = server.answer;
    server.answer = (request) => {
      const none = request.path === '/conversations?limit=1' && asked++ === 0;
      return none ? { status: 200, body: { items: [], nextCursor: null } } : answer(request);
    };
    server.onStream = ({ send }) => send(...TALK);
    const watching = watch();
    await watching.said('waiting 30 s for one to appear');
    expect(await watching.exit).toBe(0);
    expect(watching.output.out).toContain('Bob (eliza): Oh.\n');
    expect(server.requests.at(-1)?.path).toBe(`/conversations/${CONVERSATION}`);
  });

  it('stops waiting for a conversation that never appears', async () => {
    server.answer = () => ({ status: 200, body: { items: [], nextCursor: null } });
    let waits = 0;
    const newest = newestConversation(createClient({ baseUrl: server.url }), {
      within: 20,
      every: 5,
      onWaiting: () => (waits += 1),
    });
    expect(await newest).toBeUndefined();
    expect(waits).toBe(1);
  });

  it('--json prints each durable frame as a line', async () => {
    server.onStream = ({ send }) => send(...TALK);
    const watching = watch(CONVERSATION, '--json', '--key', 'secret');
    expect(await watching.exit).toBe(0);
    const lines = watching.output.out.trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(TALK.filter((frame) => 'seq' in frame));
    expect(server.requests[0]?.headers.authorization).toBe('Bearer secret');
  });

  it.each([[], ['--json']])('lets no control character through to the terminal %s', async (...options) => {
    const evil = '\u001b[2J\u009b31m\u0007\r\u007f\u0000';
    const frames = [
      created(`Is ${evil}it?`),
      message(0, `Moderator${evil}`, `one\ttwo\n${evil}three`),
      started(1, `Ada${evil}`),
      delta(1, `Ada${evil}`, `It ${evil}`),
      failed(1, `Ada${evil}`, null),
      { ...terminated(3), detail: evil },
    ];
    server.onStream = ({ send }) => send(...frames);
    const watching = watch(CONVERSATION, ...options);
    expect(await watching.exit).toBe(0);
    expect(watching.output.out).toContain('three');
    expect(watching.output.out).not.toMatch(/(?![\n\t])\p{Cc}/u);
    expect(watching.output.err).not.toMatch(/(?![\n\t])\p{Cc}/u);
  });

  it('says in one line what to do when no server answers', async () => {
    await server[Symbol.asyncDispose]();
    const watching = watch();
    expect(await watching.exit).toBe(3);
    expect(watching.output.out).toBe('');
    expect(watching.output.err).toMatch(/^http:\/\/127\.0\.0\.1:\d+ does not answer\..*`aic serve`.*\n$/);
    server = await ScriptedServer.start();
  });

  it('says in one line that there is no such conversation, or that it wants a key', async () => {
    server.answer = () => ({ status: 404, body: problem(404, 'not_found') });
    const unknown = watch('nowhere');
    expect(await unknown.exit).toBe(4);
    expect(unknown.output).toEqual({ out: '', err: expect.stringMatching(/refused: .*\(not_found\)\n$/) });
    server.answer = () => ({ status: 401, body: problem(401, 'unauthorized') });
    const keyless = watch();
    expect(await keyless.exit).toBe(4);
    expect(keyless.output.err).toContain('AIC_API_KEY takes the key');
  });

  it.each([
    [['--nope'], '--nope'],
    [['one', 'two'], 'argument'],
    [['--url', 'ftp://here'], 'ftp://here'],
    [['--url', 'here'], 'here'],
  ])('%s: says what is wrong', async (given, named) => {
    const watching = watch(...given);
    expect(await watching.exit).toBe(2);
    expect(watching.output.err).toContain(named);
    expect(server.requests).toEqual([]);
  });

  it('exits at once with 130 on Ctrl-C', async () => {
    const watching = watch(CONVERSATION);
    const stream = await server.nextStream();
    stream.send(...TALK.slice(0, 4));
    await watching.printed('It ');
    watching.interrupt();
    expect(await watching.exit).toBe(130);
    await stream.closed;
  });
});

describe('on a terminal', () => {
  it('each agent has a colour of its own, and the words are the same', () => {
    const [plain, coloured] = [new Printer(NO_COLOURS), new Printer({ said: true, aside: true })];
    const words = TALK.map((frame) => plain.print(frame).said).join('');
    const text = TALK.map((frame) => coloured.print(frame).said).join('');
    expect(stripVTControlCharacters(text)).toBe(words);
    const colours = ['Moderator:', 'Ada (eliza):', 'Bob (eliza):'].map((header) => {
      const before = text.slice(0, text.indexOf(header));
      return before.slice(before.lastIndexOf('\u001b['));
    });
    expect(new Set(colours).size).toBe(3);
  });

  it('prints the whole message where it is not what was spoken', () => {
    const printer = new Printer(NO_COLOURS);
    const frames = [
      started(1, 'Ada'),
      delta(1, 'Ada', 'It '),
      message(1, 'Ada', 'No.'),
      delta(2, 'Bob', 'Oh'),
    ];
    const text = frames.map((frame) => printer.print(frame).said).join('') + printer.endLine();
    expect(text).toBe('Ada (eliza): It \nAda (eliza): No.\nBob: Oh\n');
  });
});
