import { Agent, request } from 'undici';
import { z } from 'zod';
import type { RemoteScanner } from './guards.ts';

/** Milliseconds. */
const PATIENCE_MS = 10_000;
/** Bytes of an answer that are read at most, whatever length it tells or doesn't. */
const LONGEST_ANSWER = 16 * 1024 * 1024;

const said = z.object({
  is_valid: z.boolean(),
  /** Risks by scanner: https://protectai.github.io/llm-guard/api/overview/ */
  scanners: z.record(z.string(), z.number()).optional(),
  sanitized_prompt: z.string().optional(),
  sanitized_output: z.string().optional(),
});

/**
 * The scanners of an LLM Guard server: https://protectai.github.io/llm-guard/api/overview/
 *
 * @param url of the server, without the paths of its API
 * @param patienceMs how long an answer may take
 */
export function llmGuardAt(url: string, patienceMs = PATIENCE_MS): RemoteScanner {
  const base = url.replace(/\/+$/, '');
  const dispatcher = new Agent({ maxResponseSize: LONGEST_ANSWER });
  return {
    async analyze(text, asked, signal) {
      const [path, body] =
        asked === undefined
          ? ['/analyze/prompt', { prompt: text }]
          : ['/analyze/output', { prompt: asked, output: text }];
      const answer = await request(base + path, {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
      });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        throw new Error(`LLM Guard answered with status ${answer.statusCode}`);
      }
      const { is_valid: isValid, scanners = {}, ...sanitized } = said.parse(await answer.body.json());
      const passed = sanitized.sanitized_prompt ?? sanitized.sanitized_output ?? text;
      if (isValid) return { kinds: [], text: passed };
      const risky = Object.entries(scanners).flatMap(([name, risk]) => (risk > 0 ? [name] : []));
      return { kinds: risky.length > 0 ? risky : ['invalid'], text: passed };
    },
  };
}
