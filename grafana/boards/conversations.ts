import type { Board } from '../dashboard.ts';
import { inRange, of, perSecond, quantile, share, sum } from '../queries.ts';

const MODEL = 'provider, model';
const LEGEND = '{{provider}} {{model}}';
const ended = perSecond('ai_conversations_ended_total');

export const conversations: Board = {
  uid: 'conversations',
  title: 'Conversations: turns and cost',
  rows: {
    Conversations: [
      {
        title: 'Running and waiting',
        description:
          'queued: on an embedded server. With Redis, the dashboard of the storage has the jobs of all instances.',
        unit: 'short',
        queries: { '{{status}}': sum(of('ai_conversations'), 'status') },
      },
      {
        title: 'Started, ended, gone on',
        description:
          'More starts than ends for long: conversations pile up. gone on: after a restart or a failover.',
        unit: 'ops',
        queries: {
          started: perSecond('ai_queue_wait_seconds_count'),
          ended,
          'gone on': perSecond('ai_conversations_resumed_total'),
        },
      },
      {
        title: 'Ends, by reason',
        description: 'The log line conversation.ended has the details of each.',
        unit: 'ops',
        stacked: true,
        queries: { '{{reason}}': perSecond('ai_conversations_ended_total', 'reason') },
      },
      {
        title: 'Ends that are failures, of all',
        description:
          'provider_error, configuration_error and circuit_open. ConversationsFail in the runbook.',
        unit: 'percentunit',
        warnAt: 0.2,
        queries: {
          failed: share(
            perSecond(
              'ai_conversations_ended_total',
              '',
              'reason=~"provider_error|configuration_error|circuit_open"',
            ),
            ended,
          ),
        },
      },
      {
        title: 'Wait for the first run',
        description: 'From the creation on. Long: no place is free; QueueGrowing in the runbook.',
        unit: 's',
        warnAt: 60,
        queries: {
          p50: quantile(0.5, 'ai_queue_wait_seconds'),
          p95: quantile(0.95, 'ai_queue_wait_seconds'),
        },
      },
    ],
    Turns: [
      {
        title: 'Turns',
        description: 'That came into the log.',
        unit: 'ops',
        stacked: true,
        queries: { [LEGEND]: perSecond('ai_turns_total', MODEL) },
      },
      {
        title: 'Time of a turn',
        description: 'With all waits and tries; a point leads to its trace, which shows where the time went.',
        unit: 's',
        exemplars: true,
        queries: {
          p50: quantile(0.5, 'ai_turn_seconds'),
          p95: quantile(0.95, 'ai_turn_seconds'),
          p99: quantile(0.99, 'ai_turn_seconds'),
        },
      },
      {
        title: 'Words of the moderator, by kind of loop',
        description:
          'Many: agents have nothing to say to each other; give them instructions or another topic.',
        unit: 'ops',
        queries: { '{{kind}}': perSecond('ai_nudges_total', 'kind') },
      },
      {
        title: 'Ends by repetition, of all',
        description: 'TooManyRepetitions in the runbook.',
        unit: 'percentunit',
        warnAt: 0.3,
        queries: {
          repetition: share(perSecond('ai_conversations_ended_total', '', 'reason="repetition"'), ended),
        },
      },
    ],
    Guards: [
      {
        title: 'What guards found',
        description:
          'Scanners, what was done, and whether it came in or went out; error is a scanner that could not look.',
        unit: 'ops',
        queries: {
          '{{scanner}} {{action}} {{way}}': perSecond('ai_guard_findings_total', 'scanner, action, way'),
        },
      },
      {
        title: 'Refused or ended by guards',
        description:
          'Texts refused on their way in, and replies that ended their conversation. GuardsBlockMuch in the runbook.',
        unit: 'ops',
        queries: {
          '{{scanner}} {{kind}} {{way}}': perSecond(
            'ai_guard_findings_total',
            'scanner, kind, way',
            'action="block"',
          ),
        },
      },
      {
        title: 'Texts that a scanner could not look at',
        description: 'Under block each counts as found, else it passed. GuardsNotLooking in the runbook.',
        unit: 'ops',
        queries: {
          '{{scanner}} {{action}}': perSecond(
            'ai_guard_findings_total',
            'scanner, action',
            'kind="not_scanned"',
          ),
        },
      },
    ],
    'Voices and hands': [
      {
        title: 'Outcomes',
        description:
          'Votes, consensus and verdicts. none: a tie, a quorum missed, two orders that disagree, or no answer that could be read.',
        unit: 'ops',
        stacked: true,
        queries: { '{{type}} {{result}}': perSecond('ai_outcomes_total', 'type, result') },
      },
      {
        title: 'Choices of the next speaker',
        description: 'fallback: the moderator named nobody who can speak. ModeratorsFail in the runbook.',
        unit: 'ops',
        stacked: true,
        queries: { '{{by}}': perSecond('ai_speaker_choices_total', 'by') },
      },
      {
        title: 'Invalid ballots, of all',
        description:
          'A model that answers in no form that can be read, or whose calls fail. BallotsInvalid in the runbook.',
        unit: 'percentunit',
        warnAt: 0.3,
        queries: {
          invalid: share(
            perSecond('ai_ballots_total', '', 'result="invalid"'),
            perSecond('ai_ballots_total'),
          ),
        },
      },
      {
        title: 'Waits begun',
        description: 'By what they wait for. GET /conversations?status=paused lists those that wait now.',
        unit: 'ops',
        stacked: true,
        queries: { '{{for}}': perSecond('ai_pauses_total', 'for') },
      },
      {
        title: 'How long an approval is waited for',
        description: 'Of replies that were decided about.',
        unit: 's',
        queries: {
          p50: quantile(0.5, 'ai_pause_seconds', '', 'for="approval"'),
          p95: quantile(0.95, 'ai_pause_seconds', '', 'for="approval"'),
        },
      },
      {
        title: 'Decisions about replies',
        description: 'Many rejections: the agent needs other instructions.',
        unit: 'ops',
        queries: { '{{decision}}': perSecond('ai_approvals_total', 'decision') },
      },
    ],
    Knowledge: [
      {
        title: 'Lookups, by outcome',
        description:
          'Of passages for turns. empty: nothing fitted. failed: a collection could not be searched; the log line knowledge.not_searched. degraded: words alone were compared, since the vendor of embeddings was away.',
        unit: 'ops',
        queries: {
          '{{outcome}}': perSecond('ai_retrievals_total', 'outcome'),
          degraded: perSecond('ai_retrievals_degraded_total'),
        },
      },
      {
        title: 'Time of a lookup',
        description: 'A turn waits for it before its call, for 10 s at most.',
        unit: 's',
        queries: {
          p50: quantile(0.5, 'ai_retrieval_seconds'),
          p95: quantile(0.95, 'ai_retrieval_seconds'),
        },
      },
      {
        title: 'Passages shown a lookup',
        description: 'Each is prompt that is paid for; `passages` and `minScore` bound them.',
        unit: 'short',
        queries: {
          passages: share(perSecond('ai_retrieved_passages_total'), perSecond('ai_retrievals_total')),
        },
      },
    ],
    Cost: [
      {
        title: 'US dollars an hour',
        description:
          'Of turns in the log, where the price is known; a model without one needs its `price` in MODEL_SETTINGS.',
        unit: 'currencyUSD',
        stacked: true,
        queries: { [LEGEND]: `3600 * ${perSecond('ai_cost_usd_total', MODEL)}` },
      },
      {
        title: 'US dollars a turn',
        description: 'It grows with the context: contextMessages and the length of messages.',
        unit: 'currencyUSD',
        queries: {
          [LEGEND]: share(perSecond('ai_cost_usd_total', MODEL), perSecond('ai_turns_total', MODEL)),
        },
      },
      {
        title: "The day's budget",
        description:
          'committed: spent, or set aside for calls under way. At the limit conversations end with cost_budget.',
        unit: 'currencyUSD',
        queries: {
          committed: `max(${of('ai_daily_cost_usd')})`,
          limit: `max(${of('ai_daily_cost_limit_usd')})`,
        },
      },
      {
        title: 'Tokens',
        description: 'Input is what makes long conversations expensive.',
        unit: 'ops',
        stacked: true,
        queries: { '{{provider}} {{type}}': perSecond('ai_tokens_total', 'provider, type') },
      },
      {
        title: 'US dollars in the time shown',
        description: 'By model, as far as prices are known.',
        unit: 'currencyUSD',
        type: 'stat',
        queries: { [LEGEND]: inRange('ai_cost_usd_total', MODEL) },
      },
      {
        title: 'Turns in the time shown',
        description: 'By provider; only those that came into the log.',
        unit: 'short',
        type: 'stat',
        queries: { '{{provider}}': inRange('ai_turns_total', 'provider') },
      },
    ],
  },
};
