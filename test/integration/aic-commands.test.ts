import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Client, createClient } from '../../src/client/index.ts';
import { AIC, aic, type CommandOptions, runCommand } from '../fixtures/command-line.ts';
import { freePort } from '../fixtures/ports.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

const AGENTS = ['--agent1', 'embedded:eliza=Ada', '--agent2', 'embedded:parry=Ben'];
const ID = '0190b0a0-0000-7000-8000-000000000001';

/** All that the page lists, which is made from the program. */
const COMMANDS = [
  ...new Set(
    [...readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8').matchAll(/^### aic (\w+)/gm)].map(
      ([, command]) => command,
    ),
  ),
];

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('15: without a server', () => {
  it('starts, lists and shows over DATA_DIR, with the same objects as the routes', async () => {
    const folder = temporaryFolder();
    const given = ['start', '--topic', 'Is it?', ...AGENTS, '--turns', '3', '--budget', '0.50', '--json'];
    const started = await aic(given, { folder });
    expect(started).toMatchObject({ code: 0, err: '' });
    const frames = jsonLines(started.out);
    expect(frames.map(({ type }) => type)).toEqual([
      'conversation.created',
      ...Array<string>(4).fill('message'),
      'conversation.terminated',
    ]);
    const id = String(frames[0]?.['conversationId']);
    const [listed, shown] = await Promise.all([
      aic(['list', '--json', '--status', 'terminated'], { folder }),
      aic(['show', id, '--json'], { folder }),
    ]);
    expect(jsonLines(listed.out)).toMatchObject([
      {
        id,
        maxTurns: 3,
        agents: [
          { name: 'Ada', model: 'eliza' },
          { name: 'Ben', model: 'parry' },
        ],
      },
    ]);
    const [conversation, ...messages] = jsonLines(shown.out);
    expect(conversation).toMatchObject({ id, settings: { termination: { maxCostUsd: 0.5 } } });
    expect(messages.map(({ turn }) => turn)).toEqual([0, 1, 2, 3]);
    const words = String(messages[3]?.['content']).split(' ').slice(0, 3).join(' ');
    const found = await aic(['search', `"${words}"`, '--json'], { folder });
    expect(jsonLines(found.out)).toContainEqual(
      expect.objectContaining({ conversationId: id, seq: 5, sender: 'Ada' }),
    );
  });

  it('keeps what was said under a name, and begins with it', async () => {
    const folder = temporaryFolder();
    const kept = await aic(['start', ...AGENTS, '--turns', '2', '--save', 'pair', '--topic', 'Is it?'], {
      folder,
    });
    expect(kept).toMatchObject({ code: 0, err: expect.stringContaining('aic -t pair') });
    const again = await aic(['-t', 'pair', '--turns', '1'], { folder });
    expect(again).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Moderator: Is it\?\nAda \(eliza\): .*\n$/),
    });
    expect(await aic(['-t', 'nobody', 'Is it?'], { folder })).toMatchObject({
      code: 2,
      err: 'No template is called nobody; there are pair\n',
    });
  });

  it('0 all well, 1 ended by an error, 2 a wrong command, 3 no server, 4 refused', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const environment = { LOCAL_BASE_URL: nobody };
    const expected: [number, string[]][] = [
      [0, ['list']],
      [0, ['--help']],
      [0, ['--version']],
      [0, ['completion', 'zsh']],
      [0, ['keys', 'create', 'me', '--tenant', 'mine', '--scopes', 'conversations:read,admin']],
      [0, ['search', 'nothing of that']],
      [2, ['keys', 'create', 'me', '--scopes', 'everything']],
      [2, ['search', ' ']],
      [2, ['list', '--label', 'x']],
      [1, ['Is it?', '--agent', 'local:llama:8b=Ada', '--agent', 'embedded']],
      [2, ['lst']],
      [2, ['wathc', ID]],
      [2, ['Is', 'it?']],
      [2, []],
      [2, ['start', '--json']],
      [2, ['Is it?', '--turns', 'many']],
      [2, ['Is it?', '--turns', '0']],
      [2, ['Is it?', '--budget', 'free']],
      [2, ['Is it?', '--agent', ':x']],
      [2, ['Is it?', '--agent', 'claude', '--agent', 'embedded']],
      [2, ['list', '--nope']],
      [2, ['list', '--server', 'ftp://here']],
      [2, ['show']],
      [2, ['export', ID, '--format', 'pdf']],
      [2, ['migrate', '--from', 'nothing:', '--to', 'sqlite:x']],
      [0, ['keys', 'init', 'keys']],
      [1, ['doctor', '--json']],
      [1, ['doctor', '--server', nobody]],
      [2, ['completion', 'tcsh']],
      [2, ['import']],
      [2, ['import', 'nothing-there.json']],
      [2, ['serve', '--port', 'any']],
      [1, ['serve', '--port', '99999']],
      [3, ['list', '--server', nobody]],
      [3, ['watch', ID, '--server', nobody]],
      ...[
        ['watch', ID],
        ['say', ID, 'x'],
        ['pause', ID],
        ['resume', ID],
        ['end', ID],
        ['fork', ID],
        ['compare', ID, ID],
        ['providers'],
        ['scenarios'],
        ['scenarios', 'show', 'debate'],
        ['scenarios', 'delete', 'mine'],
        ['knowledge'],
        ['knowledge', 'show', 'papers', 'x'],
        ['knowledge', 'search', 'papers', 'x'],
        ['knowledge', 'delete', 'papers'],
      ].map((given): [number, string[]] => [3, given]),
      [4, ['show', ID]],
      [4, ['export', ID]],
    ];
    const tried = new Set(expected.map(([, [command]]) => command));
    expect(COMMANDS.filter((command) => !tried.has(command))).toEqual([]);
    const waiting = expected.values();
    const work = async (): Promise<void> => {
      for (const [code, given] of waiting) await expectEnd(code, given);
    };
    await Promise.all([work(), work(), work()]);

    async function expectEnd(code: number, given: string[]): Promise<void> {
      // Two that run conversations would be in each other's way.
      const ended = await aic(given, { folder: temporaryFolder(), environment });
      // What is wrong is said, and not among the data.
      const isSaid = code <= 1 || (ended.out === '' && ended.err !== '');
      expect({ given, ...ended, isSaid }).toMatchObject({ given, code, isSaid: true });
    }
  });
});

describe('15: with a server', () => {
  async function serving(): Promise<{ folder: string; client: Client; onServer: CommandOptions }> {
    const folder = temporaryFolder();
    mkdirSync(`${folder}/data`);
    const { url } = await startServer({ DATA_DIR: `${folder}/data`, EMBEDDED_TOKEN_DELAY_MS: '20' });
    const client = createClient({ baseUrl: url });
    return { folder, client, onServer: { folder, environment: { AIC_SERVER: url } } };
  }

  it('reads DATA_DIR beside it, and says who holds that where it would run there', async () => {
    const { folder, client } = await serving();
    const { id } = await client.createConversation({ topic: 'Is it?', maxTurns: 100 });
    const [listed, shown, started] = await Promise.all([
      aic(['list', '--json'], { folder }),
      aic(['show', id], { folder }),
      aic(['Is it?'], { folder }),
    ]);
    expect(jsonLines(listed.out).map((each) => each['id'])).toContain(id);
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('Moderator: Is it?') });
    expect(started).toMatchObject({
      code: 4,
      out: '',
      err: expect.stringMatching(/is held by process \d+ on 127\.0\.0\.1/),
    });
    await client.terminate(id);
  });

  it('does what people do to conversations, and prints what comes of it', async () => {
    const { client, onServer } = await serving();
    const { id } = await client.createConversation({ topic: 'Is it?', maxTurns: 1000 });
    const run = async (...given: string[]): Promise<string> => {
      const { code, out, err } = await aic(given, onServer);
      expect({ given, code, err }).toEqual({ given, code: 0, err: '' });
      return out;
    };
    expect(await run('pause', id, '--now', '--detail', 'for now')).toBe(`${id} paused\n`);
    expect(await run('say', id, 'Mind the gap', '--as', 'Zoe')).toMatch(/^\d+ Zoe\n$/);
    const [said] = jsonLines(await run('say', id, 'Quietly', '--moderator', '--to', 'Eliza', '--json'));
    expect(said).toMatchObject({ role: 'moderator', visibleTo: ['Eliza'] });
    const fork = (await run('fork', id, '--at', '2', '--turns', '2')).trim();
    expect(await client.getConversation(fork)).toMatchObject({ forkedFrom: { id, seq: 2 }, maxTurns: 2 });
    expect(await run('resume', id)).toMatch(/ (?:queued|running)\n$/);
    expect((await aic(['resume', id], onServer)).code).toBe(4);
    const [ended] = jsonLines(await run('end', id, '--detail', 'enough', '--json'));
    expect(ended).toMatchObject({ termination: { reason: 'user', detail: 'enough' } });
    expect((await aic(['say', id, 'Too late'], onServer)).code).toBe(4);
    expect(await run('compare', id, fork)).toMatch(
      /^1 {2}.* user .*\n2 {2}[\s\S]*\nTurn 0\n {2}1 {2}Moderator: Is it\?\n(?: {2}1 .*\n)* {2}2 /,
    );
    expect(await run('providers')).toMatch(/^embedded +configured/m);
  });

  it('keeps documents, and finds passages in them', async () => {
    const { folder, onServer } = await serving();
    writeFileSync(`${folder}/tea.md`, '# Tea\n\nGreen tea is steeped at seventy degrees.\n');
    const [added] = jsonLines((await aic(['knowledge', 'add', 'drinks', 'tea.md', '--json'], onServer)).out);
    const run = async (...given: string[]): Promise<string> =>
      (await aic(['knowledge', ...given], onServer)).out;
    expect(await run()).toBe('drinks  1 document  1 passage\n');
    expect(await run('list', 'drinks')).toContain(String(added?.['id']));
    expect(await run('search', 'drinks', 'green')).toContain('Green tea is steeped');
    expect(await run('show', 'drinks', String(added?.['id']))).toContain('seventy degrees');
    expect(await aic(['knowledge', 'remove', 'drinks'], onServer)).toMatchObject({ code: 0, out: '' });
    expect((await aic(['knowledge', 'search', 'drinks', 'green'], onServer)).code).toBe(4);
  });

  it('keeps scenarios', async () => {
    const { folder, onServer } = await serving();
    const file = `${folder}/scenario.json`;
    writeFileSync(
      file,
      JSON.stringify({ title: 'Mine', description: 'Of my own', settings: { maxTurns: 2 } }),
    );
    expect(await aic(['scenarios', 'put', 'mine', file], onServer)).toMatchObject({ code: 0, out: 'mine\n' });
    expect((await aic(['scenarios'], onServer)).out).toMatch(/^debate .*[\s\S]*^mine +Mine +Of my own$/m);
    expect(JSON.parse((await aic(['scenarios', 'show', 'mine', '--json'], onServer)).out)).toMatchObject({
      title: 'Mine',
    });
    expect((await aic(['scenarios', 'delete', 'mine'], onServer)).code).toBe(0);
    expect((await aic(['scenarios', 'delete', 'debate'], onServer)).code).toBe(4);
  });

  it('130: Ctrl-C in start ends the conversation there, and in watch only leaves it', async () => {
    const { client, onServer } = await serving();
    const starting = runCommand(['Is it?', '--turns', '1000'], onServer);
    await starting.printed('Eliza (eliza): ');
    const [, id = ''] = starting.err().split('\n');
    const watching = runCommand(['watch', id], onServer);
    await watching.printed('Moderator: ');
    watching.interrupt();
    expect(await watching.ended).toMatchObject({ code: 130 });
    expect(await client.getConversation(id)).toMatchObject({ status: 'running' });
    starting.interrupt();
    expect(await starting.ended).toMatchObject({
      code: 130,
      err: expect.stringContaining('Ended: user, by user'),
    });
    expect(await client.getConversation(id)).toMatchObject({ termination: { reason: 'user', by: 'user' } });
  });

  it('gives jq what it asks for, and leaves without a word where nobody reads on', async () => {
    const { client, onServer, folder } = await serving();
    for (const topic of ['Is it?', 'Crème “brûlée”\u2028?'])
      await client.createConversation({ topic, maxTurns: 1 });
    const shell = (line: string) =>
      aic(['-o', 'pipefail', '-c', line], {
        folder,
        program: ['bash'],
        environment: { ...onServer.environment, AIC },
      });
    expect(await shell(`node "$AIC" list --json | jq -r .topic`)).toEqual({
      code: 0,
      out: 'Crème “brûlée”\u2028?\nIs it?\n',
      err: '',
    });
    expect(
      await shell(`node "$AIC" "Tea?" --turns 2 --json | jq -r 'select(.type == "message").message.turn'`),
    ).toMatchObject({ code: 0, out: '0\n1\n2\n' });
    expect(await shell(`node "$AIC" list --json | head -c 1`)).toEqual({ code: 0, out: '{', err: '' });
  });

  it('watches the durable frames from a cursor on', async () => {
    const { client, onServer } = await serving();
    const { id } = await client.createConversation({ topic: 'Is it?', maxTurns: 1 });
    const all = jsonLines((await aic(['watch', id, '--json'], onServer)).out);
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    const rest = await aic(['watch', id, '--json', '--after', String(all[1]?.['cursor'])], onServer);
    expect(jsonLines(rest.out)).toEqual(all.slice(2));
  });
});

it('15: the script that starts it does so with exec', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  for (const name of ['aic', 'watch', 'migrate', 'start']) expect(scripts[name]).toMatch(/^exec node src\//);
});
