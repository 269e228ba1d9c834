import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Entrance } from './pod.ts';

/** A ClusterIP Service as kube-proxy plays it: a new connection goes to one of the endpoints, and stays with it. */
export class Service implements Entrance {
  readonly url: string;
  readonly #ports: Set<number>;
  #turn = 0;

  private constructor(port: number, ports: Set<number>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#ports = ports;
  }

  static async start(): Promise<Service> {
    const ports = new Set<number>();
    const sockets = new Set<Socket>();
    const server: Server = createServer((client) => {
      const endpoint = connect(service.#next(), '127.0.0.1');
      for (const [from, to] of [
        [client, endpoint],
        [endpoint, client],
      ] as const) {
        sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.resetAndDestroy());
        from.on('close', () => {
          sockets.delete(from);
          to.end();
        });
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const service = new Service(typeof address === 'object' && address ? address.port : 0, ports);
    onTestFinished(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return service;
  }

  add(port: number): Promise<void> {
    this.#ports.add(port);
    return Promise.resolve();
  }

  remove(port: number): Promise<void> {
    this.#ports.delete(port);
    return Promise.resolve();
  }

  /** Without an endpoint a connection is refused. */
  #next(): number {
    return [...this.#ports][this.#turn++ % Math.max(1, this.#ports.size)] ?? 1;
  }
}
