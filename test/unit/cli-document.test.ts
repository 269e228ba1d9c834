import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cliPage } from '../../docs/cli-page.ts';

it('docs/cli.md says what the program does; `npm run docs` writes it', () => {
  expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(cliPage());
});

it('15: has every command', () => {
  const commands =
    'start serve watch list show search export say pause resume end fork compare providers scenarios knowledge keys ' +
    'migrate doctor completion';
  const page = cliPage();
  expect(commands.split(' ').filter((name) => !page.includes(`### aic ${name}`))).toEqual([]);
});
