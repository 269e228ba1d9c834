import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { llmGuardAt } from '../../src/guards/llm-guard.ts';

it('8.6: an answer of LLM Guard that never ends is given up at its bound', async () => {
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
  const asked = guard.analyze('Hello', undefined, new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' });
});
