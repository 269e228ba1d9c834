import type { AnswerForm } from '../asking/question.ts';
import type { Shown } from '../knowledge/knowledge.ts';
import type { RemoteTask, TerminationReason } from '../log/events.ts';

/** One message of the prompt; roles alternate and the first is `user`. */
export interface PromptMessage {
  role: 'user' | 'assistant';
  content: string;
}

/** What an agent is asked: the prompt, and how to answer it. */
export interface GenerateRequest {
  /** The name of the agent that is to answer. */
  agent: string;
  topic: string;
  model: string;
  /** The system prompt. */
  system: string;
  messages: readonly PromptMessage[];
  /** 0 to 2. */
  temperature: number;
  maxOutputTokens: number;
  /** Of a turn: who else takes part, by the names that the prompt has for them. */
  others?: readonly string[] | undefined;
  /** Of a turn: how many messages of the log it shows. */
  messagesShown?: number | undefined;
  /** Names this turn of this conversation: a deterministic provider answers the same to the same seed. */
  seed: string;
  /** To be called when the call is made once more, on another connection. */
  onRepeated?: (() => void) | undefined;
  /** Where the answer is no turn: what it is to be like. */
  form?: AnswerForm | undefined;
  /** What was looked up for this turn; it stands in the messages, too. */
  shown?: Shown | undefined;
  /** Of a turn: what the agent's last message asked for, which this turn's prompt answers. */
  waiting?: WaitingTask | undefined;
}

/** A task of a remote agent that asked for input, and the model that did. */
export type WaitingTask = Pick<RemoteTask, 'id' | 'contextId'> & { model: string };

/** Why the model stopped by itself; a refusal, or a stop for safety, is a failure instead. */
export type FinishReason = 'stop' | 'length';

/** A piece of an answer: text, or thoughts that nobody hears, never empty; or, once and last, how it ended. */
export type AnswerPart =
  | { type: 'text'; text: string }
  | { type: 'thought'; text: string }
  | {
      type: 'finish';
      finishReason: FinishReason;
      /** Undefined where the vendor sent none. */
      usage: { inputTokens: number; outputTokens: number } | undefined;
      /** Of a remote agent: what it worked on. */
      task?: RemoteTask | undefined;
    };

/** PORT: a vendor's API, a local server or rules in the process that can play an agent. */
export interface Provider {
  /**
   * Streams one answer. It ends with a `finish` part, or throws: a ProviderError for whatever the vendor
   * did, and the signal's reason when the signal is aborted, which also ends the call on the wire.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<AnswerPart>;
}

/**
 * Every way in which a call can fail, classified once. `retryable`: the same call may succeed later.
 * `reason`: how the conversation ends when it isn't tried again. docs/failures.md explains each.
 */
export const PROVIDER_FAILURES = {
  authentication: { retryable: false, reason: 'configuration_error' },
  not_found: { retryable: false, reason: 'configuration_error' },
  bad_request: { retryable: false, reason: 'provider_error' },
  quota_exhausted: { retryable: false, reason: 'provider_error' },
  content_refused: { retryable: false, reason: 'provider_error' },
  context_too_long: { retryable: false, reason: 'provider_error' },
  rate_limited: { retryable: true, reason: 'provider_error' },
  overloaded: { retryable: true, reason: 'provider_error' },
  server_error: { retryable: true, reason: 'provider_error' },
  timeout: { retryable: true, reason: 'provider_error' },
  network: { retryable: true, reason: 'provider_error' },
  malformed: { retryable: true, reason: 'provider_error' },
  empty: { retryable: true, reason: 'provider_error' },
} as const satisfies Record<string, { retryable: boolean; reason: TerminationReason }>;

export type ProviderFailure = keyof typeof PROVIDER_FAILURES;

/** A failed call. Its message is fit to be shown: no key, no header, at most 500 characters. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly code: ProviderFailure;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** How long the vendor asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /**
   * Why it says nothing of the vendor's health: `loading`, its model is yet to be loaded, and is waited for as long as
   * there is time; `ours`, the answer was not read as it should have been.
   */
  readonly blameless: 'loading' | 'ours' | undefined;

  constructor(
    code: ProviderFailure,
    message: string,
    extra: {
      status?: number | undefined;
      retryAfterMs?: number | undefined;
      blameless?: ProviderError['blameless'];
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: extra.cause });
    this.code = code;
    this.status = extra.status;
    this.retryAfterMs = extra.retryAfterMs;
    this.blameless = extra.blameless;
  }

  get retryable(): boolean {
    return PROVIDER_FAILURES[this.code].retryable;
  }

  /** How the conversation ends when this failure is final. */
  get reason(): TerminationReason {
    return PROVIDER_FAILURES[this.code].reason;
  }
}
