import type { TerminationReason } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import type { ChatCompletion, ChatCompletionChunk } from '../../protocol/chat-completions.ts';
import { FailedCompletion, upstreamFailure } from './errors.ts';

/** Ends that a client hears of as a failure: no answer was come to. */
const FAILURES: ReadonlySet<TerminationReason> = new Set([
  'provider_error',
  'configuration_error',
  'circuit_open',
  'guard_blocked',
  'storage_error',
]);
/** Ends that cut the answer short. */
const CUT_SHORT: ReadonlySet<TerminationReason> = new Set(['timeout', 'token_budget', 'cost_budget']);

type FinishReason = ChatCompletion['choices'][number]['finish_reason'];

/**
 * What a conversation that has ended says of how it did.
 *
 * @throws FailedCompletion where it failed
 */
export function finishReasonOf({ ending }: Pick<ConversationRecord, 'ending'>): FinishReason {
  if (!ending) return 'stop';
  const { reason, detail } = ending;
  if (FAILURES.has(reason)) {
    const why = detail === undefined ? reason : `${reason}: ${detail}`;
    throw new FailedCompletion(upstreamFailure(`The conversation failed with ${why}`));
  }
  return CUT_SHORT.has(reason) ? 'length' : 'stop';
}

/** Writes the objects of one answer, whole or in pieces. */
export class CompletionForm {
  readonly #head: { id: string; created: number; model: string };
  readonly #wantsUsage: boolean;

  /** @param wantsUsage whether a stream ends with the sum */
  constructor({ id, createdAt }: ConversationRecord, model: string, wantsUsage: boolean) {
    this.#head = { id: `chatcmpl-${id}`, created: Math.floor(Date.parse(createdAt) / 1000), model };
    this.#wantsUsage = wantsUsage;
  }

  whole(content: string, finishReason: FinishReason, usage: ConversationRecord['usage']): ChatCompletion {
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null },
          logprobs: null,
          finish_reason: finishReason,
        },
      ],
      usage: usageOf(usage),
    };
  }

  first(): ChatCompletionChunk {
    return this.#chunk({ role: 'assistant', content: '' }, null);
  }

  piece(content: string): ChatCompletionChunk {
    return this.#chunk({ content }, null);
  }

  /** The end, and behind it the usage where it is wanted. */
  last(finishReason: FinishReason, usage: ConversationRecord['usage']): ChatCompletionChunk[] {
    const end = this.#chunk({}, finishReason);
    if (!this.#wantsUsage) return [end];
    return [end, { ...end, choices: [], usage: usageOf(usage) }];
  }

  #chunk(
    delta: ChatCompletionChunk['choices'][number]['delta'],
    finishReason: FinishReason | null,
  ): ChatCompletionChunk {
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(this.#wantsUsage ? { usage: null } : {}),
    };
  }
}

function usageOf({ inputTokens, outputTokens, totalTokens }: ConversationRecord['usage']) {
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: totalTokens };
}
