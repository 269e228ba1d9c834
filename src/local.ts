/** The platform in the process of a command: whoever speaks to it is this process alone. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch as fetchWith, WebSocket } from 'undici';
import type { LocalServer } from './cli/surroundings.ts';
import { compose } from './compose.ts';
import { readConfig } from './config/config.ts';

/**
 * Starts the platform over DATA_DIR, behind a socket in a folder that only this user can open, so that a command speaks
 * to it as to any server.
 *
 * @param use `engine` holds the folder and runs what is started; `reader` reads beside whoever holds it
 * @throws ConfigurationError, StorageError
 */
export async function openLocal(use: 'engine' | 'reader'): Promise<LocalServer> {
  // All that is asked here comes from this process, and what it looks at is the folder.
  const config = {
    ...readConfig(process.env),
    REDIS_URL: undefined,
    API_KEYS: undefined,
    API_KEYS_FILE: undefined,
    HOST: '127.0.0.1',
  };
  const holder = use === 'engine' ? `process ${process.pid} (aic start)` : null;
  const platform = await compose({ ...config, LOG_LEVEL: 'silent' }, { write: () => {} }, { holder });
  const folder = mkdtempSync(join(tmpdir(), 'aic-'));
  const socketPath =
    process.platform === 'win32' ? `\\\\.\\pipe\\aic-${process.pid}` : join(folder, 'socket');
  await platform.app.listen({ path: socketPath });
  const dispatcher = new Agent({ connect: { socketPath } });

  return {
    baseUrl: 'http://localhost',
    dataFolder: config.DATA_DIR,
    // The types of undici's own fetch and of the global one differ in names alone.
    fetch: ((url: string, init: object) => fetchWith(url, { ...init, dispatcher })) as typeof fetch,
    WebSocket: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, { protocols, dispatcher });
      }
    },
    async close() {
      await platform.close();
      await dispatcher.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
