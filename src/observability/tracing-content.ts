import type { Span } from '@opentelemetry/api';
import type { Answer } from '../conversation/turn/attempt.ts';
import type { GenerateRequest } from '../conversation/turn/provider.ts';
import type { Conventions } from './semantic-conventions.ts';

/** Puts the texts of a call on its span. For those who opted in; no secret is left in them. */
export interface ContentCapture {
  asked(span: Span, request: GenerateRequest): void;
  answered(span: Span, answer: Answer): void;
}

export function createContentCapture(
  { content }: Conventions,
  mask: (text: string) => string,
): ContentCapture {
  if (content === 'events') {
    const event = (span: Span, name: string, fields: Record<string, string | number>): void => {
      const masked = Object.entries(fields).map(([key, value]) => [
        key,
        typeof value === 'string' ? mask(value) : value,
      ]);
      span.addEvent(name, Object.fromEntries(masked));
    };
    return {
      asked(span, { system, messages }) {
        event(span, 'gen_ai.system.message', { content: system });
        for (const { role, content } of messages) event(span, `gen_ai.${role}.message`, { role, content });
      },
      answered(span, { content, metadata }) {
        event(span, 'gen_ai.choice', { index: 0, finish_reason: metadata.finishReason ?? 'stop', content });
      },
    };
  }
  const attribute = (span: Span, name: string, value: unknown): void => {
    span.setAttribute(name, mask(JSON.stringify(value)));
  };
  const parts = (text: string): object[] => [{ type: 'text', content: text }];
  return {
    asked(span, { system, messages }) {
      attribute(span, content.instructions, parts(system));
      const history = messages.map((message) => ({ role: message.role, parts: parts(message.content) }));
      attribute(span, content.input, history);
    },
    answered(span, { content: text, metadata }) {
      const finish_reason = metadata.finishReason ?? 'stop';
      attribute(span, content.output, [{ role: 'assistant', parts: parts(text), finish_reason }]);
    },
  };
}
