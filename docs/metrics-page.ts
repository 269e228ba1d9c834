import { METRICS } from '../src/observability/metric-names.ts';

interface Described {
  name: string;
  type: string;
  labels: readonly string[];
  help: string;
  buckets?: readonly number[];
  onlyWith?: string;
}

const INTRODUCTION = `# Metrics

\`GET /metrics\` gives them in the text format of Prometheus, or as OpenMetrics where the Accept header asks for
\`application/openmetrics-text\`. They are of one process: sum them over the instances. This page is written by
\`npm run metrics:doc\` from \`src/observability/metric-names.ts\`; a test compares the two.

- Units are seconds, bytes and US dollars.
- A call is one attempt at a turn, or at a choice, a ballot or a verdict. Turns, tokens and cost count what is in the
  log, so that the sums over the log are the same; a failed call is in them as far as the log has an \`attempt.spent\`.
- \`provider\` and \`model\` are names that the server knows: the catalog's and the configured default models, those of
  the price table and of \`MODEL_SETTINGS\`, and the embedded ones. A dated version counts as the model that it is a
  version of, all other names as \`other\`. \`route\` is a route's template, or \`none\`. No label is an id or a text.
- In OpenMetrics, \`ai_response_seconds\`, \`ai_turn_seconds\` and \`ai_time_to_first_token_seconds\` have exemplars with
  \`trace_id\` where there are traces.
- Node's own are there too, \`nodejs_*\` and \`process_*\`; \`nodejs_eventloop_lag_seconds\` is the event loop's delay.
`;

/** docs/metrics.md as it has to be. */
export function metricsPage(): string {
  const rows = Object.values<Described>(METRICS).map(({ name, type, labels, help, buckets, onlyWith }) => {
    const note = onlyWith === undefined ? '' : ` Only with ${onlyWith}.`;
    const bounds = buckets === undefined ? '' : ` Buckets: ${buckets.join(' ')}.`;
    const quoted = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${quoted} | ${help}${bounds}${note} |`;
  });
  return [INTRODUCTION, '| name | type | labels | what |', '|---|---|---|---|', ...rows, ''].join('\n');
}
