import type { Board } from '../dashboard.ts';
import { of, orZero, perSecond, quantile, share, sum } from '../queries.ts';

const calls = perSecond('ai_api_calls_total');
const queued = `(${sum(of('ai_conversations', 'status="queued"'))} or max(${of('ai_queue_jobs', 'state="waiting"')}))`;

export const overview: Board = {
  uid: 'overview',
  title: 'Conversations: overview',
  rows: {
    Now: [
      {
        title: 'Instances that answer',
        description: 'Fewer than you started: see InstanceDown in the runbook.',
        unit: 'none',
        type: 'stat',
        queries: { '': 'sum(up{job="conversations"})' },
      },
      {
        title: 'Alerts that fire',
        description:
          'Prometheus lists them under /alerts, each with the address of its section in the runbook.',
        unit: 'none',
        type: 'stat',
        warnAt: 1,
        badAt: 3,
        queries: { '': 'count(ALERTS{alertstate="firing"}) or vector(0)' },
      },
      {
        title: 'Conversations that run',
        description: 'Of all instances. Up to MAX_ACTIVE_CONVERSATIONS in each.',
        unit: 'none',
        type: 'stat',
        queries: { '': sum(of('ai_active_conversations')) },
      },
      {
        title: 'Conversations that wait',
        description:
          'For a place. Where this stays above 0: raise MAX_ACTIVE_CONVERSATIONS or add an instance.',
        unit: 'none',
        type: 'stat',
        warnAt: 10,
        queries: { '': queued },
      },
      {
        title: 'Circuits that are not closed',
        description: 'Models that are not called at the moment. The dashboard of providers says which.',
        unit: 'none',
        type: 'stat',
        badAt: 1,
        queries: { '': `count(max by (provider, model) (${of('ai_circuit_state')}) > 0) or vector(0)` },
      },
      {
        title: "Of the day's budget",
        description:
          'Spent or set aside of DAILY_COST_LIMIT_USD; the day is that of UTC. Without a limit: no data.',
        unit: 'percentunit',
        type: 'stat',
        warnAt: 0.8,
        badAt: 0.98,
        queries: { '': `max(${of('ai_daily_cost_usd')} / ${of('ai_daily_cost_limit_usd')})` },
      },
    ],
    Conversations: [
      {
        title: 'Conversations',
        description: 'Running and waiting for a place.',
        unit: 'short',
        queries: { running: sum(of('ai_active_conversations')), queued },
      },
      {
        title: 'Turns',
        description:
          'Turns that came into the log. None while conversations run: ConversationsStuck in the runbook.',
        unit: 'ops',
        stacked: true,
        queries: { '{{provider}}': perSecond('ai_turns_total', 'provider') },
      },
      {
        title: 'Ends, by reason',
        description:
          'max_turns, phrase and user are as it should be; provider_error, configuration_error and circuit_open are failures.',
        unit: 'ops',
        stacked: true,
        queries: { '{{reason}}': perSecond('ai_conversations_ended_total', 'reason') },
      },
    ],
    Vendors: [
      {
        title: 'Failed calls',
        description: 'Of all calls; most are tried again. Which vendor and how: the dashboard of providers.',
        unit: 'percentunit',
        warnAt: 0.2,
        badAt: 0.5,
        queries: {
          'failed calls': share(
            orZero(perSecond('ai_errors_total', '', 'error_type!="aborted"'), calls),
            calls,
          ),
        },
      },
      {
        title: 'Time of a turn',
        description:
          'With all waits and tries. Long where first tokens are quick: calls wait for places, or are repeated.',
        unit: 's',
        exemplars: true,
        queries: { p50: quantile(0.5, 'ai_turn_seconds'), p95: quantile(0.95, 'ai_turn_seconds') },
      },
      {
        title: 'Time to the first token, p95',
        description: 'The vendors alone, without our waits. VendorSlow in the runbook.',
        unit: 's',
        warnAt: 10,
        exemplars: true,
        queries: { '{{provider}}': quantile(0.95, 'ai_time_to_first_token_seconds', 'provider') },
      },
    ],
    'Readers and the process': [
      {
        title: 'Answered requests',
        description: '5xx are faults of our own or a storage that is away: HttpErrors in the runbook.',
        unit: 'reqps',
        queries: { '{{status}}': perSecond('ai_http_requests_total', 'status') },
      },
      {
        title: 'Open streams',
        description: 'Each is an open file, here and twice at the balancer.',
        unit: 'short',
        queries: { '{{transport}}': sum(of('ai_stream_clients'), 'transport') },
      },
      {
        title: 'Event loop, p99 of its delay',
        description:
          'Above 0.2 s all conversations of the instance stutter: EventLoopBlocked in the runbook.',
        unit: 's',
        warnAt: 0.2,
        queries: { '{{instance}}': of('nodejs_eventloop_lag_p99_seconds') },
      },
    ],
  },
};
