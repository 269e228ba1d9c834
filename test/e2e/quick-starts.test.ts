import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aic } from '../fixtures/command-line.ts';
import { blockWith, ROOT } from '../fixtures/documents.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';

/** Runs the lines of a block in the clone; what installs and what tests everything is done already. */
function paste(block: string, environment: Record<string, string> = {}): ReturnType<typeof aic> {
  const lines = block.split('\n').filter((line) => !/^npm (?:ci|run test)/.test(line));
  const script = `cd ${ROOT} && set -e\n${lines.join('\n')}`;
  return aic(['-c', script], { folder: temporaryFolder(), program: ['bash'], environment });
}

describe('quick starts', () => {
  it.each([
    ['README.md', 'Do dogs dream?'],
    ['CONTRIBUTING.md', 'hot dog'],
    ['docs/cli.md', 'hot dog'],
  ])('%s: a talk in one line', async (page, topic) => {
    const { code, out, err } = await paste(blockWith(page, 'sh', topic));
    expect({ code, out, err }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Moderator: .*\nEliza .*\nParry /),
      err: expect.stringContaining('Ended: max_turns'),
    });
  });

  it('a script, through the client', async () => {
    const { url } = await startServer();
    const folder = temporaryFolder();
    const source = blockWith('README.md', 'js', 'createClient')
      .replace("'ai-conversation-platform'", `'${ROOT}src/client/index.ts'`)
      .replace('http://127.0.0.1:8080', url);
    writeFileSync(join(folder, 'talk.ts'), source);
    const { code, out } = await aic(['talk.ts'], { folder, program: [process.execPath] });
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^Moderator: .*\n(?:Eliza: .*\nParry: .*\n){2}$/),
    });
  });

  it('an example', async () => {
    const { url } = await startServer();
    const { code, out } = await paste(blockWith('examples/README.md', 'sh', 'hot dog'), { AIC_SERVER: url });
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('It ended: max_turns') });
  });

  it('two models with the keys of two vendors, a budget, and the same again', async () => {
    await using claude = await startVendor('anthropic', answer('Kindness is what I do.'));
    await using chatgpt = await startVendor('openai', answer('And what I am told is kind?'));
    const { code, out, err } = await paste(blockWith('README.md', 'sh', '--save pair'), {
      ANTHROPIC_BASE_URL: claude.baseUrl,
      OPENAI_BASE_URL: chatgpt.baseUrl,
    });
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(/ {2}Ada .* \$0\.\d+\n {2}Ben /),
    });
    expect(out).toMatch(
      /^Moderator: Can a machine be kind\?\nAda \(claude.*\): Kindness is what I do\.\nBen \(gpt/,
    );
    expect(out).toContain('Moderator: What would it owe us?\nAda (claude');
    expect(out.match(/^[\da-f-]{36} {2}terminated /gm)).toHaveLength(2);
  });

  it('looks at what a machine has', async () => {
    const { code, out } = await paste(blockWith('README.md', 'sh', 'doctor'));
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ok {5}Node: 26[\s\S]*ok {5}database: /),
    });
  });
});
