import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Requests that a connection may have waiting for their answers. Hardly a client sends the next before it has the answer
 * to the last, but one that does, and reads none, would have a server make thousands of answers out of a few kilobytes
 * and keep them all.
 */
const MOST_WAITING = 32;

/** Cuts off a connection that has more requests waiting. */
export function boundPipelining(app: FastifyInstance): void {
  const waiting = new WeakMap<Socket, number>();
  const server: Server = app.server;
  server.prependListener('request', ({ socket }, response) => {
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    if (count > MOST_WAITING) socket.destroy();
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
  });
  // What was read with them is parsed all the same.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.raw.socket.destroyed) reply.hijack();
    else done();
  });
}
