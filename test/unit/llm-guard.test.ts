import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { GuardMode } from '../../src/conversation/stages/guard.ts';
import { lookAtWords } from '../../src/conversation/stages/words.ts';
import { createGuards } from '../../src/guards/guards.ts';
import { llmGuardAt } from '../../src/guards/llm-guard.ts';
import { startLlmGuard, type Verdict } from '../fixtures/guard/llm-guard.ts';

const NEVER = new AbortController().signal;

async function guardedBy(mode: GuardMode, verdict: Verdict) {
  const { url, asked } = await startLlmGuard(() => verdict);
  const failures: string[] = [];
  const guards = createGuards({
    modes: { secrets: 'off', personal_data: 'off', invisible: 'off', injection: 'off', llm_guard: mode },
    scanners: [],
    remote: llmGuardAt(`${url}/`, verdict === 'silence' ? 200 : undefined),
    onFailure: (scanner) => failures.push(scanner),
  });
  const guard = guards.of(undefined);
  if (!guard) throw new Error('nothing looks');
  const reply = async (...pieces: string[]) => {
    const listening = guard.listen();
    const shown = pieces.map((piece) => listening.push(piece));
    return { shown, ...(await listening.end(NEVER, 'What do you think?')) };
  };
  return { guard, reply, asked, failures };
}

const NO: Verdict = { is_valid: false, scanners: { Toxicity: 0.9, Secrets: -1 }, sanitized: 'Nice.' };
const finding = (kind: string, action: string) => [{ scanner: 'llm_guard', kind, action, count: 1 }];

describe('8.6: llm_guard', () => {
  it('is asked about what comes in, and about what goes out with what it answers', async () => {
    const { guard, reply, asked } = await guardedBy('flag', { is_valid: true });
    expect(await guard.look('Well?', NEVER)).toEqual({ text: 'Well?', found: [], isBlocked: false });
    expect(await reply('Fi', 'ne.')).toEqual({
      shown: ['Fi', 'ne.'],
      text: '',
      found: [],
      isBlocked: false,
    });
    expect(asked).toEqual([
      { path: '/analyze/prompt', body: { prompt: 'Well?' } },
      { path: '/analyze/output', body: { prompt: 'What do you think?', output: 'Fine.' } },
    ]);
  });

  it('is asked about the words of ballots and verdicts as about what goes out', async () => {
    const { guard, asked } = await guardedBy('block', NO);
    const { texts } = await lookAtWords(guard, ['Bad.', null], 'Tea or coffee?', NEVER);
    expect(texts).toEqual([null, null]);
    expect(asked).toEqual([{ path: '/analyze/output', body: { prompt: 'Tea or coffee?', output: 'Bad.' } }]);
  });

  it.each<[GuardMode, object, object]>([
    [
      'flag',
      { text: 'Bad.', found: finding('Toxicity', 'flag'), isBlocked: false },
      { shown: ['Ba', 'd.'], text: '', found: finding('Toxicity', 'flag'), isBlocked: false },
    ],
    [
      'redact',
      { text: 'Nice.', found: finding('Toxicity', 'redact'), isBlocked: false },
      { shown: ['', ''], text: 'Nice.', found: finding('Toxicity', 'redact'), isBlocked: false },
    ],
    [
      'block',
      { text: '', found: finding('Toxicity', 'block'), isBlocked: true },
      { shown: ['', ''], text: '', found: finding('Toxicity', 'block'), isBlocked: true },
    ],
  ])('says no under %s', async (mode, inward, outward) => {
    const { guard, reply, failures } = await guardedBy(mode, NO);
    expect(await guard.look('Bad.', NEVER)).toEqual(inward);
    expect(await reply('Ba', 'd.')).toEqual(outward);
    expect(failures).toEqual([]);
  });

  it('may change a text without saying no to it', async () => {
    const { guard } = await guardedBy('redact', { is_valid: true, sanitized: 'I am [NAME].' });
    expect(await guard.look('I am Ada.', NEVER)).toEqual({
      text: 'I am [NAME].',
      found: finding('sanitized', 'redact'),
      isBlocked: false,
    });
  });

  it.each<[string, Verdict]>([
    ['its server is out of order', { status: 500 }],
    ['it says nothing', 'silence'],
  ])('where %s, a text passes marked, and counts as found under block', async (_, verdict) => {
    for (const mode of ['flag', 'redact'] as const) {
      const { guard, reply, failures } = await guardedBy(mode, verdict);
      const found = finding('not_scanned', 'error');
      expect(await guard.look('Well?', NEVER)).toEqual({ text: 'Well?', found, isBlocked: false });
      const { shown, text, ...rest } = await reply('Fi', 'ne.');
      expect([shown.join('') + text, rest]).toEqual(['Fine.', { found, isBlocked: false }]);
      expect(failures).toEqual(['llm_guard', 'llm_guard']);
    }
    const { guard, reply } = await guardedBy('block', verdict);
    const blocked = { text: '', found: finding('not_scanned', 'block'), isBlocked: true };
    expect(await guard.look('Well?', NEVER)).toEqual(blocked);
    expect(await reply('Fine.')).toEqual({ shown: [''], ...blocked });
  });

  it('who stops the run does not wait for it', async () => {
    const { guard } = await guardedBy('flag', 'silence');
    const stopped = new AbortController();
    const looking = guard.look('Well?', stopped.signal);
    stopped.abort(new Error('enough'));
    await expect(looking).rejects.toThrow('enough');
  });

  it('an answer that never ends is given up at its bound', async () => {
    const piece = Buffer.alloc(1024 * 1024, ' ');
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const go = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', go);
      go();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const guard = llmGuardAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 60_000);
    const asked = guard.analyze('Hello', undefined, NEVER);
    await expect(asked).rejects.toMatchObject({ code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' });
  });
});
