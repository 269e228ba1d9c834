import { Webhook as Signer } from 'standardwebhooks';
import { Agent, buildConnector, request } from 'undici';
import type { AddressGuard } from '../../security/outgoing.ts';

/** A message as it is sent, the same on each try. */
export interface Outgoing {
  id: string;
  url: string;
  body: string;
  /** All that sign, `whsec_…`. */
  secrets: readonly string[];
}

/** How a try went; success is any status of 200 to 299. */
export interface Answered {
  status: number | null;
  error: string | null;
}

/** What a receiver says is thrown away; beyond this its connection is. */
const MOST_ANSWER_BYTES = 64 * 1024;
/** How long a connection without a message is kept, in milliseconds; servers keep theirs for 2 s and longer. */
const IDLE_MS = 1000;

/** Sends messages by the Standard Webhooks specification: https://github.com/standard-webhooks/standard-webhooks */
export class Sender {
  readonly #guard: AddressGuard;
  readonly #agent: Agent;
  readonly #answerMs: number;

  /** @param answerMs for connection, answer and all, in milliseconds */
  constructor(guard: AddressGuard, answerMs: number) {
    this.#guard = guard;
    this.#answerMs = answerMs;
    // The next message of many takes the same way, to the address that was judged as it was connected to. Not for long: a
    // receiver that closes it as a message is on its way has that one tried again.
    this.#agent = new Agent({
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      connect: buildConnector({ lookup: guard.lookup, timeout: answerMs }),
    });
  }

  async send({ id, url, body, secrets }: Outgoing, signal: AbortSignal): Promise<Answered> {
    const now = new Date();
    const bound = AbortSignal.timeout(this.#answerMs);
    try {
      // A plain address is connected to without a look-up.
      await this.#guard.assertAllowed(url);
      const { statusCode, body: answer } = await request(url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'ai-conversation-platform',
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
          'webhook-signature': secrets.map((secret) => new Signer(secret).sign(id, now, body)).join(' '),
        },
        body,
        signal: AbortSignal.any([signal, bound]),
      });
      void answer.dump({ limit: MOST_ANSWER_BYTES, signal: bound }).catch(() => {});
      return { status: statusCode, error: null };
    } catch (error) {
      if (bound.aborted) return { status: null, error: `no answer within ${this.#answerMs / 1000} s` };
      const { code, message } = error as NodeJS.ErrnoException;
      return { status: null, error: message || code || 'the connection failed' };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
