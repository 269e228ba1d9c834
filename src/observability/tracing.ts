import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Attributes, DiagLogLevel, diag, metrics, trace } from '@opentelemetry/api';
import { FastifyInstrumentation } from '@opentelemetry/instrumentation-fastify';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { fastify } from 'fastify';
import type { Happening } from '../conversation/happenings.ts';
import type { Tracer } from '../conversation/tracer.ts';
import { conventionsFor, SCOPE } from './semantic-conventions.ts';
import { createContentCapture } from './tracing-content.ts';
import { createSpanNotes, createTracer, spanFields } from './tracing-spans.ts';

export interface TracingOptions {
  /** OTEL_SEMCONV_STABILITY_OPT_IN */
  conventions: string | undefined;
  /** Whether prompts and answers go along. */
  captureContent: boolean;
  mask: (text: string) => string;
  /** Told of what goes wrong with the export, at most once a minute. */
  onProblem: (problem: string) => void;
}

/** The tracing of a process. */
export interface Tracing {
  tracer: Tracer;
  observe: (happening: Happening) => void;
  /** The fields of a log line that say which span it belongs to. */
  logFields: () => { trace_id?: string; span_id?: string };
  /** Fastify's factory, so that its routes and hooks are seen. */
  traceFastify: (factory: typeof fastify) => typeof fastify;
  /** Sends what is left, for at most FLUSH_MS. Never rejects. */
  stop(): Promise<void>;
}

/** Milliseconds that a shutdown waits for a collector. */
const FLUSH_MS = 1500;
const PROBLEM_EVERY_MS = 60_000;
/** Characters; some errors come as JSON with their stack. */
const PROBLEM_LENGTH = 300;
/** Asked every few seconds by machines, and of no interest. */
const UNTRACED_PATHS = /^\/(?:livez|readyz|metrics)(?:\?|$)/;

/**
 * Starts OpenTelemetry's SDK as the OTEL_* variables of `process.env` say. To be called before anything
 * requires `node:http`, and this module is not to be imported where nothing is traced: both take their time.
 */
export function startTracing(options: TracingOptions): Tracing {
  const { mask } = options;
  const fastifyInstrumentation = new FastifyInstrumentation();
  const sdk = new NodeSDK({
    instrumentations: [
      fastifyInstrumentation,
      // The calls that go out are fetch, which undici's instrumentation sees; over node:http only the export goes.
      new HttpInstrumentation({
        disableOutgoingRequestInstrumentation: true,
        ignoreIncomingRequestHook: ({ url }) => UNTRACED_PATHS.test(url ?? ''),
        startIncomingSpanHook: (request) => maskedUrl(request, mask),
      }),
      new UndiciInstrumentation({
        startSpanHook: ({ origin, path }) => {
          const query = path.indexOf('?');
          return {
            'url.full': mask(`${origin}${path}`),
            'url.query': query < 0 ? '' : mask(path.slice(query)),
          };
        },
      }),
    ],
    logRecordProcessors: [],
  });
  reportProblems(options.onProblem);
  sdk.start();

  const spans = trace.getTracer(SCOPE);
  const conventions = conventionsFor(options.conventions);
  const content = options.captureContent ? createContentCapture(conventions, mask) : undefined;
  return {
    tracer: createTracer({ spans, meter: metrics.getMeter(SCOPE), conventions, content }),
    observe: createSpanNotes(spans),
    logFields: () => spanFields(),
    // Loaders' hooks would patch it unasked, but Node has deprecated the ones that this package offers.
    traceFastify(factory) {
      const [definition] = fastifyInstrumentation.getModuleDefinitions();
      return (definition?.patch?.(factory) as typeof fastify | undefined) ?? factory;
    },
    async stop() {
      const flushed = sdk.shutdown().catch((error: unknown) => diag.error(String(error)));
      await Promise.race([flushed, delay(FLUSH_MS, undefined, { ref: false })]);
    },
  };
}

/** Whatever looks like a key in a URL that somebody calls. */
function maskedUrl(
  { url = '' }: { url?: string | undefined } | IncomingMessage,
  mask: (text: string) => string,
) {
  const query = url.indexOf('?');
  const attributes: Attributes = { 'url.path': mask(query < 0 ? url : url.slice(0, query)) };
  if (query >= 0) attributes['url.query'] = mask(url.slice(query + 1));
  return attributes;
}

/** The SDK says what goes wrong again and again; the log is to have it, but not to be flooded. */
function reportProblems(onProblem: (problem: string) => void): void {
  let quietUntil = 0;
  const report = (...said: unknown[]): void => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + PROBLEM_EVERY_MS;
    onProblem(said.map(String).join(' ').slice(0, PROBLEM_LENGTH));
  };
  const nothing = (): void => {};
  diag.setLogger(
    { error: report, warn: report, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}
