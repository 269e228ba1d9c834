import {
  type Attributes,
  type Context,
  context,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type Tracer as SpanMaker,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { Happening } from '../conversation/happenings.ts';
import type { TracedCall, Tracer } from '../conversation/tracer.ts';
import type { Answer, Outcome } from '../conversation/turn/attempt.ts';
import { ProviderError } from '../conversation/turn/provider.ts';
import { Stopped } from '../conversation/turn/stop.ts';
import { ATTRIBUTE, type Conventions, HISTOGRAM, SPAN, SPAN_EVENT } from './semantic-conventions.ts';
import type { ContentCapture } from './tracing-content.ts';

/** Of an agent's provider that runs within this process. */
const IN_PROCESS = 'embedded';

export interface SpanParts {
  spans: SpanMaker;
  meter: Meter;
  conventions: Conventions;
  /** Undefined where nobody opted in to texts. */
  content: ContentCapture | undefined;
}

/**
 * Makes the work at conversations into spans and metrics of OpenTelemetry's global SDK. A conversation's first
 * span ends when it is made, for only spans that ended are exported; what comes later, on whatever instance,
 * has it as its remote parent.
 */
export function createTracer({ spans, meter, conventions, content }: SpanParts): Tracer {
  const tokens = histogram(meter, HISTOGRAM.tokens);
  const duration = histogram(meter, HISTOGRAM.duration);
  const of = (provider: string, model: string): Attributes => ({
    [conventions.provider]: conventions.providerNames[provider] ?? provider,
    [ATTRIBUTE.requestModel]: model,
  });

  /** Does the work within the span and ends it. */
  async function within<T>(span: Span, work: () => Promise<T>, note: (result: T) => void): Promise<T> {
    try {
      const result = await context.with(trace.setSpan(context.active(), span), work);
      note(result);
      return result;
    } catch (error) {
      if (error instanceof Stopped) span.setAttribute(ATTRIBUTE.stopped, error.why);
      else fail(span, errorTypeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  function measure(attributes: Attributes, milliseconds: number, errorType?: string): void {
    duration.record(milliseconds / 1000, {
      ...attributes,
      ...(errorType ? { [ATTRIBUTE.errorType]: errorType } : {}),
    });
  }

  function noteAnswer(span: Span, attributes: Attributes, { metadata }: Answer): void {
    const { inputTokens, outputTokens, usageEstimated, finishReason, timeToFirstTokenMs } = metadata;
    span.setAttributes({
      [ATTRIBUTE.inputTokens]: inputTokens,
      [ATTRIBUTE.outputTokens]: outputTokens,
      [ATTRIBUTE.usageEstimated]: usageEstimated,
      [ATTRIBUTE.finishReasons]: finishReason === undefined ? undefined : [finishReason],
    });
    if (conventions.timeToFirstChunk && timeToFirstTokenMs !== undefined) {
      span.setAttribute(conventions.timeToFirstChunk, timeToFirstTokenMs / 1000);
    }
    // The conventions want what was counted, or nothing.
    if (usageEstimated) return;
    tokens.record(inputTokens ?? 0, { ...attributes, [ATTRIBUTE.tokenType]: 'input' });
    tokens.record(outputTokens ?? 0, { ...attributes, [ATTRIBUTE.tokenType]: 'output' });
  }

  return {
    creation({ id, settings }, work) {
      const span = spans.startSpan(SPAN.creation, {
        attributes: {
          [ATTRIBUTE.conversation]: id,
          [ATTRIBUTE.agents]: settings.agents.map(({ name }) => name),
          [ATTRIBUTE.maxTurns]: settings.maxTurns,
        },
      });
      return within(
        span,
        () => work(traceparentOf(span.spanContext())),
        (result) => {
          if (hasOutcome(result)) span.setAttribute(ATTRIBUTE.creation, result.outcome);
        },
      );
    },

    run({ id, traceparent }, work) {
      const maker = parseTraceparent(traceparent) ?? adopted(spans, id);
      return context.with(trace.setSpanContext(ROOT_CONTEXT, maker), work);
    },

    turn({ conversationId, turn, agent }, work) {
      const span = spans.startSpan(`${SPAN.turn} ${agent.name}`, {
        kind: SpanKind.INTERNAL,
        attributes: {
          [ATTRIBUTE.operation]: SPAN.turn,
          ...of(agent.provider, agent.model),
          [ATTRIBUTE.agent]: agent.name,
          [ATTRIBUTE.conversation]: conversationId,
          [ATTRIBUTE.turn]: turn,
        },
      });
      return within(span, work, (spoken) => {
        if (spoken && 'reason' in spoken) fail(span, spoken.reason);
      });
    },

    response({ conversationId, turn, model: { provider, model } }, work) {
      const span = spans.startSpan(SPAN.response, {
        attributes: {
          ...of(provider, model),
          [ATTRIBUTE.conversation]: conversationId,
          [ATTRIBUTE.turn]: turn,
        },
      });
      return within(span, work, (outcome) => {
        const errorType = failureOf(outcome);
        if (errorType) fail(span, errorType);
      });
    },

    retrieval({ conversationId, turn, collections }, work) {
      const span = spans.startSpan(SPAN.retrieval, {
        attributes: {
          [ATTRIBUTE.operation]: SPAN.retrieval,
          [ATTRIBUTE.dataSource]: collections.join(','),
          [ATTRIBUTE.conversation]: conversationId,
          [ATTRIBUTE.turn]: turn,
        },
      });
      return within(span, work, ({ passages, degraded }) =>
        span.setAttributes({ [ATTRIBUTE.passages]: passages.length, [ATTRIBUTE.degraded]: degraded }),
      );
    },

    async call({ conversationId, attempt, request }: TracedCall, work) {
      const { provider, model } = attempt;
      const attributes = { [ATTRIBUTE.operation]: SPAN.call, ...of(provider, model) };
      const span = spans.startSpan(`${SPAN.call} ${model}`, {
        kind: provider === IN_PROCESS ? SpanKind.INTERNAL : SpanKind.CLIENT,
        attributes: {
          ...attributes,
          [ATTRIBUTE.conversation]: conversationId,
          [ATTRIBUTE.agent]: attempt.agent,
          [ATTRIBUTE.maxTokens]: request.maxOutputTokens,
          [ATTRIBUTE.temperature]: request.temperature,
          [ATTRIBUTE.turn]: attempt.turn,
          [ATTRIBUTE.attempt]: attempt.id,
          ...(conventions.stream ? { [conventions.stream]: true } : {}),
        },
      });
      if (span.isRecording()) content?.asked(span, request);
      const startedAt = performance.now();
      try {
        const answer = await within(span, work, (whole) => {
          noteAnswer(span, attributes, whole);
          if (span.isRecording()) content?.answered(span, whole);
        });
        measure(attributes, performance.now() - startedAt);
        return answer;
      } catch (error) {
        measure(attributes, performance.now() - startedAt, errorTypeOf(error));
        throw error;
      }
    },
  };
}

/** What has no length but is worth a look: events of the span around it, or spans that end at once. */
export function createSpanNotes(spans: SpanMaker): (happening: Happening) => void {
  const moment = (name: string, conversationId: string, attributes: Attributes): void =>
    spans.startSpan(name, { attributes: { [ATTRIBUTE.conversation]: conversationId, ...attributes } }).end();
  return (happening) => {
    if (happening.type === 'attempt.failed') {
      const { error, retryInMs } = happening;
      const errorType = { [ATTRIBUTE.errorType]: error.code };
      const around = trace.getActiveSpan();
      if (retryInMs === null) around?.addEvent(SPAN_EVENT.failure, errorType);
      else around?.addEvent(SPAN_EVENT.retry, { ...errorType, [ATTRIBUTE.retryDelay]: retryInMs / 1000 });
    } else if (happening.type === 'turn.fell_back') {
      const { from, to, why } = happening;
      trace.getActiveSpan()?.addEvent(SPAN_EVENT.fallback, {
        [ATTRIBUTE.fallbackFrom]: `${from.provider}/${from.model}`,
        [ATTRIBUTE.fallbackTo]: `${to.provider}/${to.model}`,
        [ATTRIBUTE.fallbackWhy]: why,
      });
    } else if (happening.type === 'conversation.resumed') {
      moment(SPAN.resumption, happening.conversationId, { [ATTRIBUTE.turns]: happening.turns });
    } else if (happening.type === 'conversation.ended') {
      const { conversationId, ending, turns } = happening;
      moment(SPAN.ending, conversationId, { [ATTRIBUTE.reason]: ending.reason, [ATTRIBUTE.turns]: turns });
    }
  };
}

/** The first span of a conversation that was made while nothing was traced, or by an instance that doesn't. */
function adopted(spans: SpanMaker, id: string): SpanContext {
  const attributes = { [ATTRIBUTE.conversation]: id };
  const span = spans.startSpan(SPAN.resumption, { attributes }, ROOT_CONTEXT);
  span.end();
  return span.spanContext();
}

function histogram(
  meter: Meter,
  { name, description, unit, boundaries }: (typeof HISTOGRAM)['tokens' | 'duration'],
) {
  return meter.createHistogram(name, { description, unit, advice: { explicitBucketBoundaries: boundaries } });
}

/** Without the message: a vendor's may quote what it was sent. */
function fail(span: Span, errorType: string): void {
  span.setAttribute(ATTRIBUTE.errorType, errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function failureOf(outcome: Outcome): string | undefined {
  if (outcome.kind === 'failed') return outcome.error.code;
  if (outcome.kind === 'refused') return 'circuit_open';
  return outcome.kind === 'impossible' ? outcome.ending.reason : undefined;
}

/** The same words as in the metrics and the log. */
function errorTypeOf(error: unknown): string {
  if (error instanceof ProviderError) return error.code;
  return error instanceof Stopped ? 'aborted' : 'internal';
}

function hasOutcome(result: unknown): result is { outcome: string } {
  return typeof result === 'object' && result !== null && 'outcome' in result;
}

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header; undefined for the span of an SDK that is off. */
function traceparentOf(span: SpanContext): string | undefined {
  if (!trace.isSpanContextValid(span)) return undefined;
  const sampled = (span.traceFlags & TraceFlags.SAMPLED) === 0 ? '00' : '01';
  return `00-${span.traceId}-${span.spanId}-${sampled}`;
}

function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(text ?? '') ?? [];
  if (!traceId || !spanId || !flags) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

/** Fields of a log line: the span that it is written within, if any. */
export function spanFields(around: Context = context.active()): { trace_id?: string; span_id?: string } {
  const span = trace.getSpanContext(around);
  return span && trace.isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
