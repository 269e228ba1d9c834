import { z } from 'zod';

/**
 * The part of OpenAI's chat completions that means something here (docs/protocol.md, section 13.2); whatever else a
 * client sends is passed over: https://platform.openai.com/docs/api-reference/chat
 */

const contentPart = z.looseObject({
  type: z.literal(['text', 'refusal'], 'takes text: the agents read nothing else'),
  text: z.string().optional(),
  refusal: z.string().optional(),
});

const chatMessage = z.looseObject({
  role: z.enum(
    ['system', 'developer', 'user', 'assistant', 'tool', 'function'],
    'takes system, developer, user, assistant, tool or function',
  ),
  content: z.union([z.string(), z.array(contentPart)], 'takes a text, or parts of type text').nullish(),
  /** Who said it, where the role says too little. */
  name: z.string().nullish(),
});

/** The body of POST /v1/chat/completions. */
export const chatCompletionRequest = z
  .looseObject({
    model: z.string('takes a model of GET /v1/models, such as panel/debate'),
    messages: z.array(chatMessage, 'takes a list of messages').min(1, 'takes at least one message'),
    stream: z.boolean('takes true or false').nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    /** `answer` says what is answered; the rest are the conversation's labels. */
    metadata: z
      .looseObject({ answer: z.enum(['transcript', 'outcome'], 'takes transcript or outcome').optional() })
      .nullish(),
  })
  .meta({
    id: 'ChatCompletionRequest',
    examples: [
      { model: 'panel/debate', messages: [{ role: 'user', content: 'Should science be open by default?' }] },
    ],
  });

const usage = z.object({
  prompt_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  total_tokens: z.number().int(),
});

const finishReason = z.enum(['stop', 'length']);
const head = { id: z.string(), created: z.number().int(), model: z.string() };

export const chatCompletion = z
  .object({
    ...head,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.number().int(),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
        finish_reason: finishReason,
      }),
    ),
    usage,
  })
  .meta({ id: 'ChatCompletion' });

/** One event of a stream. */
const chatCompletionChunk = z.object({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.number().int(),
      delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
      logprobs: z.null(),
      finish_reason: finishReason.nullable(),
    }),
  ),
  /** Where it was asked for: null but in the last. */
  usage: usage.nullish(),
});

export const modelList = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        id: z.string(),
        object: z.literal('model'),
        created: z.number().int(),
        owned_by: z.string(),
      }),
    ),
  })
  .meta({ id: 'ModelList' });

/** A failure as OpenAI's clients read it. */
export const openAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'OpenAiError' });

export type ChatCompletionRequest = z.infer<typeof chatCompletionRequest>;
export type ChatCompletion = z.infer<typeof chatCompletion>;
export type ChatCompletionChunk = z.infer<typeof chatCompletionChunk>;
export type OpenAiError = z.infer<typeof openAiError>;
