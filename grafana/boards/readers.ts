import type { Board } from '../dashboard.ts';
import { of, orZero, perSecond, quantile, share, sum } from '../queries.ts';

const NO_PROBES = 'route!="/readyz"';
const requests = perSecond('ai_http_requests_total', '', NO_PROBES);
const faults = perSecond('ai_http_requests_total', '', `${NO_PROBES}, status=~"5.."`);

export const readers: Board = {
  uid: 'readers',
  title: 'Conversations: streams and HTTP',
  rows: {
    Streams: [
      {
        title: 'Open streams',
        description: 'Those who follow a conversation at the moment.',
        unit: 'short',
        queries: { '{{transport}}': sum(of('ai_stream_clients'), 'transport') },
      },
      {
        title: 'Frames sent',
        description: 'To all readers together.',
        unit: 'ops',
        queries: { '{{transport}}': perSecond('ai_stream_frames_sent_total', 'transport') },
      },
      {
        title: 'Frames sent to one reader',
        description: 'High: short deltas. A reader on a slow line falls behind.',
        unit: 'ops',
        queries: {
          '{{transport}}': share(
            perSecond('ai_stream_frames_sent_total', 'transport'),
            sum(of('ai_stream_clients'), 'transport'),
          ),
        },
      },
      {
        title: 'Frames dropped',
        description: 'closed: the reader was going. too_slow: it had left too much unread and was let go.',
        unit: 'ops',
        queries: {
          '{{transport}} {{reason}}': perSecond('ai_stream_frames_dropped_total', 'transport, reason'),
        },
      },
      {
        title: 'Readers let go as too slow',
        description:
          'They come back with their cursors and miss nothing. Many: StreamReadersDropped in the runbook.',
        unit: 'ops',
        queries: { '{{transport}}': perSecond('ai_stream_slow_closes_total', 'transport') },
      },
      {
        title: 'Readers that came back',
        description: 'With a cursor. Many at once: an instance or a balancer closed their connections.',
        unit: 'ops',
        queries: { '{{transport}}': perSecond('ai_stream_resumes_total', 'transport') },
      },
    ],
    HTTP: [
      {
        title: 'Answered requests, by route',
        description: 'none: no route fits. Server-Sent Events count at their end.',
        unit: 'reqps',
        stacked: true,
        queries: { '{{method}} {{route}}': perSecond('ai_http_requests_total', 'method, route') },
      },
      {
        title: 'Answered requests, by status',
        description: '4xx are what clients did wrong; the log line request.completed has the request_id.',
        unit: 'reqps',
        queries: { '{{status}}': perSecond('ai_http_requests_total', 'status') },
      },
      {
        title: '5xx, of all',
        description: 'Without /readyz. Above 1 %: HttpErrors in the runbook.',
        unit: 'percentunit',
        warnAt: 0.01,
        queries: { '5xx': share(orZero(faults, requests), requests) },
      },
      {
        title: 'Time of a request, p95',
        description: 'Without streams. Slow searches read much; slow creations wait for the storage.',
        unit: 's',
        queries: { '{{method}} {{route}}': quantile(0.95, 'ai_http_request_seconds', 'method, route') },
      },
      {
        title: 'Tries to tell webhooks',
        description:
          'retried: it is tried again; failed: after the last try; disabled: answered with 410. GET /webhooks/{id} has the last deliveries of each.',
        unit: 'ops',
        stacked: true,
        queries: { '{{outcome}}': perSecond('ai_webhook_deliveries_total', 'outcome') },
      },
      {
        title: 'From an event until a webhook has been told',
        description: 'With all tries before. Above five minutes: WebhooksLate in the runbook.',
        unit: 's',
        warnAt: 300,
        queries: {
          p50: quantile(0.5, 'ai_webhook_lag_seconds'),
          p95: quantile(0.95, 'ai_webhook_lag_seconds'),
        },
      },
    ],
  },
};
