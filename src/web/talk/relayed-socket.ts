import type { WebSocketClass } from '../../client/connection.ts';
import type { FromRelay, ToRelay } from './relay.ts';
// oxlint-disable-next-line import/default -- Vite makes its address of it
import relay from './relay.ts?worker&url';

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: () => string },
  ): { createScriptURL: (url: string) => string };
}

/** The one script that the page's policy lets it run besides its own: https://www.w3.org/TR/trusted-types/ */
const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes
  ?.createPolicy('relay', { createScriptURL: () => relay })
  .createScriptURL('');

/** A WebSocket whose work is done in a worker; relay.ts says what of it comes together. */
class Relayed extends EventTarget {
  readonly #worker = new Worker(trusted ?? relay, { type: 'module' });
  #isClosed = false;

  constructor(url: string, protocols: string[]) {
    super();
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromRelay>) => this.#hear(data));
    this.#worker.addEventListener('error', () =>
      this.#hear({ type: 'close', code: 1006, reason: 'its worker could not run' }),
    );
    this.#tell({ type: 'open', url, protocols });
  }

  close(): void {
    if (!this.#isClosed) this.#tell({ type: 'close' });
  }

  #tell(what: ToRelay): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has none
    this.#worker.postMessage(what);
  }

  #hear(what: FromRelay): void {
    if (what.type === 'open') this.dispatchEvent(new Event('open'));
    else if (what.type === 'messages') {
      for (const data of what.messages) this.dispatchEvent(new MessageEvent('message', { data }));
    } else {
      this.#isClosed = true;
      this.#worker.terminate();
      this.dispatchEvent(new CloseEvent('close', what));
    }
  }
}

// As much of a WebSocket as the client needs: its listeners and its end.
export const RelayedSocket = Relayed as unknown as WebSocketClass;
