import { connect, type Socket } from 'node:net';

const HEAD_LIMIT = 16_384;

/**
 * Times requests, one after the other, over one keep-alive connection, and makes next to nothing of what it hears, so
 * that what it measures is the server: with `node:http` and answers of some 100 kB, the slowest hundredth of the
 * requests were those in which this process collected its own garbage.
 */
export class RequestTimer {
  readonly #socket: Socket;
  readonly #host: string;
  #hear: ((text: Buffer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('error', (error) => this.#fail?.(error));
    socket.on('close', () => this.#fail?.(new Error(`${host} closed the connection`)));
  }

  /** @param url `http://HOST:PORT` */
  static connect(url: string): Promise<RequestTimer> {
    const { hostname, port, host } = new URL(url);
    const { promise, resolve, reject } = Promise.withResolvers<RequestTimer>();
    const buffer = Buffer.allocUnsafe(65_536);
    const socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          timer.#hear?.(buffer.subarray(0, length));
          return true;
        },
      },
    });
    const timer = new RequestTimer(socket, host);
    timer.#fail = reject;
    socket.once('connect', () => resolve(timer));
    return promise;
  }

  /**
   * From the request to the last byte of its answer, in milliseconds.
   *
   * @throws Error for a status but 200, an answer without its length, and a connection that ends
   */
  get(path: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let head = '';
    /** Bytes to come; undefined before the end of the head. */
    let missing: number | undefined;
    const startedAt = performance.now();
    this.#fail = reject;
    this.#hear = (bytes) => {
      if (missing === undefined) {
        const before = head.length;
        head += bytes.toString('latin1', 0, HEAD_LIMIT);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = /^HTTP\/1\.1 200 [^]*\r\ncontent-length: (\d+)\r\n/i.exec(head.slice(0, end + 2))?.[1];
        if (length === undefined) return reject(new Error(`${path}: ${head.slice(0, end)}`));
        missing = Number(length) + end + 4 - before;
      }
      missing -= bytes.length;
      if (missing < 0) reject(new Error(`${path}: its answer is longer than it says`));
      else if (missing === 0) resolve(performance.now() - startedAt);
    };
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n\r\n`);
    return promise;
  }

  close(): void {
    this.#fail = undefined;
    this.#socket.destroy();
  }
}
