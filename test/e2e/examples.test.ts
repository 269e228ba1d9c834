import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { aic } from '../fixtures/command-line.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url).pathname;

/** What each of them is to print, with what it is given. */
const RUNS: Record<string, { given?: string[]; prints: RegExp }> = {
  'start-and-watch.ts': {
    given: ['Is soup a drink?'],
    prints: /^Moderator: .+\nEliza: .+\nParry: .+\nEliza: .+\nParry: .+\nIt ended: max_turns\n$/,
  },
  'five-models.ts': {
    prints: /^Moderator .+\nAda \(eliza\): .+\nBen \(parry\): .+\nCleo .+\nDan .+\nEve \(eliza\): .+\n$/,
  },
  'budget.ts': { prints: /^turn 0: Moderator\nturn 1: [\s\S]+token_budget: \d+ tokens, \$0\n$/ },
  'resume-after-a-crash.ts': { prints: /^killed in turn 3\nturns: 0, 1, 2, 3, 4, 5, 6\n$/ },
  'steer.ts': { prints: /\(mine\): Not to the sea, please\.\n[\s\S]*\(retracted\): [\s\S]*after: Ben: / },
  'fork-and-compare.ts': { prints: /^(?:\n[\da-f-]{36}, from message 4\n(?: {2}\d .+\n){5}){2}$/ },
  'debate-with-verdict.ts': { prints: /\(opening\): [\s\S]+\(closing\): [\s\S]+\nVerdict: .+\n$/ },
  'label-and-list.ts': { prints: /^(?:[\da-f-]{36} warm-up-\d+ temperature 0\.[29]\n){2}$/ },
  'batch-of-topics.ts': {
    given: ['One?', 'Two?', 'Three?', 'Four?'],
    prints: /^(?:[\da-f-]{36} max_turns (?:One|Two|Three|Four)\?\n){4}$/,
  },
  'export-all.ts': {
    given: ['kept'],
    prints: /^(?:kept\/[\da-f-]{36}\.jsonl \d+ bytes\n)+\d+ conversations\n$/,
  },
};
const scripts = globSync('*.ts', { cwd: EXAMPLES })
  .filter((name) => name !== 'server.ts')
  .sort();

it('each example does what it says', async () => {
  const { url } = await startServer();
  for (const name of scripts) {
    const { given = [], prints } = RUNS[name] ?? { prints: /^$/ };
    const ended = await aic(given, {
      folder: temporaryFolder(),
      program: [process.execPath, EXAMPLES + name],
      environment: { AIC_SERVER: url, EMBEDDED_TOKEN_DELAY_MS: '5' },
    });
    expect({ name, ...ended }).toMatchObject({ name, code: 0, out: expect.stringMatching(prints) });
  }
});

it('the examples are all in their list', () => {
  const readme = readFileSync(`${EXAMPLES}README.md`, 'utf8');
  expect(scripts.filter((name) => !readme.includes(`[${name}](${name})`))).toEqual([]);
  expect(scripts).toHaveLength(10);
});
