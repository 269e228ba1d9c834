import { expect, it } from 'vitest';
import { startServer } from '../fixtures/server.ts';

/** What Node says of each module that the server loads, when it is asked to tell about its compile cache. */
async function modulesLoaded(environment: Record<string, string> = {}): Promise<string> {
  const server = await startServer({ NODE_DEBUG_NATIVE: 'COMPILE_CACHE', ...environment });
  expect(await server.stop()).toBe(0);
  return server.errors();
}

it('a start finds what the one before has compiled', async () => {
  await modulesLoaded();
  const again = await modulesLoaded();
  for (const module of ['src/compose.ts', 'node_modules/fastify/fastify.js']) {
    expect(again).toMatch(new RegExp(`V8 code cache for \\S+ \\S+/${module} was accepted`));
  }
});

it('the SDK of a vendor that is not configured is not loaded', async () => {
  const sdks = ['@anthropic-ai/sdk', 'openai', '@google/generative-ai'];
  const loaded = async (environment?: Record<string, string>): Promise<string[]> => {
    const modules = await modulesLoaded(environment);
    return sdks.filter((sdk) => modules.includes(`/node_modules/${sdk}/`));
  };
  expect(await loaded()).toEqual([]);
  expect(await loaded({ ANTHROPIC_API_KEY: 'k', GEMINI_API_KEY: 'k' })).toEqual([sdks[0], sdks[2]]);
  expect(await loaded({ LOCAL_BASE_URL: 'http://127.0.0.1:9/v1' })).toEqual([sdks[1]]);
});
