import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector } from 'ioredis';
import type { RedisTarget } from './url.ts';

/** So long a socket that was ended may take to close, in milliseconds. */
const DISCONNECT_MS = 2000;

/**
 * A connector for ioredis that asks each time where to go.
 *
 * @param next the node to connect to now
 */
export function nodeConnector(next: () => RedisTarget['addresses'][number], tls: boolean) {
  return class NodeConnector extends AbstractConnector {
    constructor() {
      super(DISCONNECT_MS);
    }

    async connect(): Promise<Socket> {
      const { host, port } = next();
      this.connecting = true;
      const socket = tls ? connectTls({ host, port }) : createConnection({ host, port });
      this.stream = socket;
      socket.once('error', (error: Error) => {
        this.firstError = error;
      });
      return socket;
    }
  };
}
