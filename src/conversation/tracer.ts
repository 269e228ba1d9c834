import type { Shown } from './knowledge/knowledge.ts';
import type { Ending } from './log/events.ts';
import type { AgentSettings, ConversationSettings, ModelChoice } from './log/settings.ts';
import type { AttemptUnderWay } from './stream/frames.ts';
import type { Answer, Outcome } from './turn/attempt.ts';
import type { GenerateRequest } from './turn/provider.ts';

/** An agent's turn at a conversation. */
export interface TracedTurn {
  conversationId: string;
  turn: number;
  agent: AgentSettings;
}

/** A try at a turn by one model, with the wait for its lane. */
export interface TracedTry {
  conversationId: string;
  turn: number;
  model: ModelChoice;
}

/** A call of a model on the wire. */
export interface TracedCall {
  conversationId: string;
  attempt: AttemptUnderWay;
  request: GenerateRequest;
}

/**
 * PORT: shows work at conversations to who follows it from outside. Each verb does the work it is given as a
 * part of the work around it, gives what that gives and throws what it throws. Work within work is known as
 * such across awaits, down to the request on the wire.
 */
export interface Tracer {
  /** Makes a conversation. What `work` is given goes into its log: by that, later work is shown with it. */
  creation<T>(
    conversation: { id: string; settings: ConversationSettings },
    work: (traceparent: string | undefined) => Promise<T>,
  ): Promise<T>;

  /** Runs a conversation, on whichever instance and however often; `traceparent` is what its log has. */
  run<T>(conversation: { id: string; traceparent: string | undefined }, work: () => Promise<T>): Promise<T>;

  turn(
    turn: TracedTurn,
    work: () => Promise<Answer | Ending | undefined>,
  ): Promise<Answer | Ending | undefined>;

  response(response: TracedTry, work: () => Promise<Outcome>): Promise<Outcome>;

  /** Looks passages up for a turn. */
  retrieval(
    retrieval: { conversationId: string; turn: number; collections: readonly string[] },
    work: () => Promise<Shown>,
  ): Promise<Shown>;

  call(call: TracedCall, work: () => Promise<Answer>): Promise<Answer>;
}

/** Shows nothing to nobody. */
export const UNTRACED: Tracer = {
  creation: (_conversation, work) => work(undefined),
  run: (_conversation, work) => work(),
  turn: (_turn, work) => work(),
  response: (_response, work) => work(),
  retrieval: (_retrieval, work) => work(),
  call: (_call, work) => work(),
};
