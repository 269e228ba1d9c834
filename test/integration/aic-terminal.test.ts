import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AIC, aic, runInTerminal } from '../fixtures/command-line.ts';
import { temporaryFolder } from '../fixtures/server.ts';

const CTRL_C = '\u0003';
const ENTER = '\r';
/** Slow enough to be interrupted in the middle. */
const SLOW = { EMBEDDED_TOKEN_DELAY_MS: '40' };

describe('15: in a terminal', () => {
  it('asks for what is missing, shows the talk, and sums it up', async () => {
    const environment = { EMBEDDED_TOKEN_DELAY_MS: '5' };
    const terminal = runInTerminal(['start'], { folder: temporaryFolder(), environment });
    await terminal.shows('What shall they talk about?');
    terminal.type(`Is soup a drink?${ENTER}`);
    await terminal.shows('How?');
    await terminal.shows('Just talk');
    terminal.type(ENTER);
    await terminal.shows('For how many turns?');
    terminal.type(`\u007f\u007f4${ENTER}`);
    expect(await terminal.exit).toBe(0);
    expect(terminal.text()).toContain('Moderator: Is soup a drink?');
    expect(terminal.text()).toMatch(/Ended: max_turns, by system\. 4 turns, [\d,]+ tokens/);
    expect(terminal.text()).toMatch(/ {2}Parry +2 turns/);
    // How far it is, between the words.
    expect(terminal.text()).toMatch(
      /Eliza … turn 3 of 4 · [\d,]+ tokens · \$0\.00 · \d+ tokens\/s · \d+ s left/,
    );
    expect(terminal.raw()).toContain('\u001b[36mModerator:');
  });

  it('leaves with 130 where nothing is answered', async () => {
    const terminal = runInTerminal([], { folder: temporaryFolder() });
    await terminal.shows('What shall they talk about?');
    terminal.type(CTRL_C);
    expect(await terminal.exit).toBe(130);
  });

  it('Ctrl-C ends the conversation with `user`, and it says so to its end', async () => {
    const folder = temporaryFolder();
    const terminal = runInTerminal(['Is soup a drink?'], { folder, environment: SLOW });
    await terminal.shows('Eliza (eliza): ');
    terminal.resize(30, 10);
    await terminal.shows('Parry (parry): ');
    // From then on its line of progress is no wider than the terminal.
    const [progress = ''] = /Parry … [^\r\n]*/.exec(terminal.text()) ?? [];
    expect(progress).toMatch(/^Parry … turn 2.{0,16}$/);
    terminal.type(CTRL_C);
    expect(await terminal.exit).toBe(130);
    expect(terminal.text()).toContain('Ended: user, by user');
    const { out } = await aic(['list', '--json'], { folder });
    expect(JSON.parse(out)).toMatchObject({
      status: 'terminated',
      termination: { reason: 'user', by: 'user' },
    });
  });

  it('a second Ctrl-C leaves at once', async () => {
    const terminal = runInTerminal(['Is soup a drink?'], { folder: temporaryFolder(), environment: SLOW });
    await terminal.shows('Eliza (eliza): ');
    terminal.type(CTRL_C + CTRL_C);
    expect(await terminal.exit).toBe(130);
  });

  it.each([
    { environment: { NO_COLOR: '1' }, without: '\u001b[36m' },
    { environment: { TERM: 'dumb' }, without: '\u001b' },
  ])('$environment is heard', async ({ environment, without }) => {
    const given = ['Is soup a drink?', '--turns', '2'];
    const terminal = runInTerminal(given, { folder: temporaryFolder(), environment });
    expect(await terminal.exit).toBe(0);
    expect(terminal.text()).toContain('Ended: max_turns');
    expect(terminal.raw()).not.toContain(without);
  });

  it('a terminal shows the same data that a pipe gets, and a command substitution no progress', async () => {
    const folder = temporaryFolder();
    const script = `node "$AIC" "Is soup a drink?" --turns 2 > ${folder}/file; echo "text: $(cat ${folder}/file)"`;
    const terminal = runInTerminal(['-c', script], {
      folder,
      program: ['bash'],
      environment: { AIC },
    });
    expect(await terminal.exit).toBe(0);
    const file = readFileSync(`${folder}/file`, 'utf8');
    expect(file).toMatch(/^Moderator: Is soup a drink\?\nEliza \(eliza\): .*\nParry \(parry\): .*\n$/);
    expect(terminal.text()).not.toContain(' … turn');
    const [newest = ''] = (await aic(['list'], { folder })).out.split('  ');
    const shown = await aic(['show', newest], { folder });
    const inTerminal = runInTerminal(['show', newest], { folder });
    expect(await inTerminal.exit).toBe(0);
    expect(inTerminal.text().replaceAll('\r\n', '\n')).toBe(shown.out);
  });
});
