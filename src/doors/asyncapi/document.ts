import { z } from 'zod';
import { conversationEvent } from '../../protocol/events.ts';
import { streamRewritten, turnDelta, turnFailed, turnStarted } from '../../protocol/frames.ts';

/** What durable frames have besides their events, and passing ones anyway. */
const frame = turnStarted.pick({ conversationId: true, cursor: true });

interface Message {
  name: string;
  title: string;
  contentType: string;
  payload: object;
}

/**
 * The streams and the webhooks as an AsyncAPI 3 document, from the schemas that check and type everything else:
 * https://www.asyncapi.com/docs/reference/specification/v3.0.0
 */
export function asyncApiDocument(): object {
  const durable = conversationEvent.options.map((event) => {
    const { value: type } = event.shape.type;
    return [type, messageOf(type, 'An entry of the log', z.intersection(event, frame))] as const;
  });
  const passing = [turnStarted, turnDelta, turnFailed].map((schema) => {
    const { value: type } = schema.shape.type;
    return [type, messageOf(type, 'Not kept: between two entries of the log', schema)] as const;
  });
  const rewritten = messageOf('stream.rewritten', 'The last frame: begin anew', streamRewritten);
  const told = z.object({
    type: z.string(),
    timestamp: z.string().meta({ format: 'date-time' }),
    data: z.object({ conversationId: z.string(), event: conversationEvent }),
  });
  const messages: Record<string, Message> = Object.fromEntries([
    ...durable,
    ...passing,
    ['stream.rewritten', rewritten] as const,
    ['webhook', messageOf('webhook', 'What a webhook is sent', told)] as const,
  ]);
  const framesOf = [...durable, ...passing].map(([name]) => name);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'AI Conversation Platform: streams',
      version: '1.0.0',
      description:
        'What a reader of a conversation hears, and what a webhook is sent. The routes are in /openapi.json.',
    },
    defaultContentType: 'application/json',
    channels: {
      stream: channel('/conversations/{id}/stream', 'A conversation over a WebSocket', framesOf),
      events: channel('/conversations/{id}/events', 'The same frames as Server-Sent Events', [
        ...framesOf,
        'stream.rewritten',
      ]),
      webhook: {
        address: null,
        title: 'The address of a webhook, by Standard Webhooks',
        messages: { webhook: reference('components/messages/webhook') },
      },
    },
    operations: {
      watchStream: sends('stream'),
      watchEvents: sends('events'),
      tellWebhook: sends('webhook'),
    },
    components: { messages },
  };
}

function channel(address: string, title: string, names: readonly string[]): object {
  return {
    address,
    title,
    parameters: { id: { description: 'The id of a conversation' } },
    messages: Object.fromEntries(names.map((name) => [name, reference(`components/messages/${name}`)])),
  };
}

function sends(name: string): object {
  return { action: 'send', channel: reference(`channels/${name}`) };
}

function reference(path: string): { $ref: string } {
  return { $ref: `#/${path}` };
}

/** Each schema stands alone: what it refers to is within it. */
function messageOf(name: string, title: string, schema: z.ZodType): Message {
  const { $schema: _draft, ...payload } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return { name, title, contentType: 'application/json', payload };
}
