import type { ClientOptions } from '../client/client.ts';
import type { Finding } from '../doctor/findings.ts';

export type { Finding };

/** A server within this process. */
export interface LocalServer extends Required<Pick<ClientOptions, 'baseUrl' | 'fetch' | 'WebSocket'>> {
  dataFolder: string;
  /** Ends what runs in it; nothing acknowledged is lost. */
  close: () => Promise<void>;
}

/** What the command line uses of the process that it runs in, and of what it may not import. */
export interface Surroundings {
  environment: NodeJS.ProcessEnv;
  version: string;
  /** The platform over DATA_DIR in this process: to run conversations, or to read beside whoever does. */
  openLocal: (use: 'engine' | 'reader') => Promise<LocalServer>;
  /** Looks at what a server here needs. */
  examine: () => AsyncIterable<Finding>;
  /** Turns this process into the server, which ends it by itself. */
  serve: () => Promise<void>;
}
