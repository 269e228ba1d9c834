import type { Board } from '../dashboard.ts';
import { of, orZero, perSecond, quantile, share, sum } from '../queries.ts';

const CHOSEN = 'provider=~"$provider"';
const MODEL = 'provider, model';
const LEGEND = '{{provider}} {{model}}';

const callsOf = (by: string): string => perSecond('ai_api_calls_total', by, CHOSEN);
const failuresOf = (by: string, kind: string): string =>
  perSecond('ai_errors_total', by, `${CHOSEN}, ${kind}`);
const running = sum(of('ai_lane_calls', `${CHOSEN}, state="running"`), MODEL);

export const providers: Board = {
  uid: 'providers',
  title: 'Conversations: providers',
  variables: { provider: 'ai_api_calls_total' },
  rows: {
    Failures: [
      {
        title: 'Calls',
        description: 'Each try counts. Errors hold what the server itself broke off, too.',
        unit: 'reqps',
        queries: { '{{provider}} {{status}}': callsOf('provider, status') },
      },
      {
        title: 'Failed calls, of all',
        description: 'Without those that we broke off. From half on: VendorFailing in the runbook.',
        unit: 'percentunit',
        warnAt: 0.2,
        badAt: 0.5,
        queries: {
          '{{provider}}': share(
            orZero(failuresOf('provider', 'error_type!="aborted"'), callsOf('provider')),
            callsOf('provider'),
          ),
        },
      },
      {
        title: 'Failures, by kind',
        description:
          'docs/failures.md says what each is. authentication, not_found and quota_exhausted end conversations: mend the key, the name or the account.',
        unit: 'reqps',
        stacked: true,
        queries: {
          '{{provider}} {{error_type}}': perSecond('ai_errors_total', 'provider, error_type', CHOSEN),
        },
      },
      {
        title: 'Rate-limited calls, of all',
        description:
          'Where this stays high, put the limits of your account into MODEL_SETTINGS, or add fallbacks.',
        unit: 'percentunit',
        warnAt: 0.3,
        queries: {
          '{{provider}}': share(
            orZero(failuresOf('provider', 'error_type="rate_limited"'), callsOf('provider')),
            callsOf('provider'),
          ),
        },
      },
      {
        title: 'Tried again',
        description: 'Failed calls after which the turn went on, with the same model or another.',
        unit: 'reqps',
        queries: {
          '{{provider}} {{error_type}}': perSecond('ai_retries_total', 'provider, error_type', CHOSEN),
          '{{provider}} on another connection': perSecond('ai_repeated_calls_total', 'provider', CHOSEN),
        },
      },
      {
        title: 'Taken over by another model',
        description: 'From whom to whom, and why. Fallbacks cost what the other model costs.',
        unit: 'ops',
        queries: {
          '{{from_provider}} to {{to_provider}}: {{reason}}': perSecond(
            'ai_fallbacks_total',
            'from_provider, to_provider, reason',
            'from_provider=~"$provider"',
          ),
        },
      },
    ],
    Circuits: [
      {
        title: 'Circuits',
        description:
          'The worst of the instances. An open one lets nobody call for CIRCUIT_OPEN_SECONDS: CircuitOpen in the runbook.',
        unit: 'none',
        type: 'state-timeline',
        words: ['closed', 'half open', 'open'],
        queries: { [LEGEND]: `max by (${MODEL}) (${of('ai_circuit_state', CHOSEN)})` },
      },
      {
        title: 'Changes of circuits',
        description: 'One that opens again and again: the vendor answers a probe and fails under load.',
        unit: 'ops',
        queries: {
          '{{provider}} {{model}}: {{to}}': perSecond('ai_circuit_changes_total', `${MODEL}, to`, CHOSEN),
        },
      },
    ],
    Speed: [
      {
        title: 'Time to the first token',
        description: 'The vendor alone. p95 above 10 s: VendorSlow in the runbook.',
        unit: 's',
        warnAt: 10,
        exemplars: true,
        queries: {
          [`${LEGEND} p50`]: quantile(0.5, 'ai_time_to_first_token_seconds', MODEL, CHOSEN),
          [`${LEGEND} p95`]: quantile(0.95, 'ai_time_to_first_token_seconds', MODEL, CHOSEN),
        },
      },
      {
        title: 'Time of a call',
        description: 'Until the end of the answer or the failure. It grows with maxOutputTokens.',
        unit: 's',
        exemplars: true,
        queries: {
          [`${LEGEND} p50`]: quantile(0.5, 'ai_response_seconds', MODEL, CHOSEN),
          [`${LEGEND} p95`]: quantile(0.95, 'ai_response_seconds', MODEL, CHOSEN),
        },
      },
      {
        title: 'Tokens in a second of an answer, median',
        description: 'How fast a model writes. A fall that lasts is the vendor under load.',
        unit: 'short',
        queries: { [LEGEND]: quantile(0.5, 'ai_output_tokens_per_second', MODEL, CHOSEN) },
      },
    ],
    Lanes: [
      {
        title: 'Calls at once',
        description: 'Running and waiting. Many that wait, and few places: the vendor limits us.',
        unit: 'short',
        queries: { '{{provider}} {{model}} {{state}}': sum(of('ai_lane_calls', CHOSEN), `${MODEL}, state`) },
      },
      {
        title: 'Places',
        description:
          'Calls that may run at once: found out by what the vendor refuses, up to maxConcurrentCalls.',
        unit: 'short',
        queries: { [LEGEND]: sum(of('ai_lane_places', CHOSEN), MODEL) },
      },
      {
        title: 'Taken places',
        description: 'At 100 % calls wait for each other.',
        unit: 'percentunit',
        warnAt: 0.9,
        queries: { [LEGEND]: share(running, sum(of('ai_lane_places', CHOSEN), MODEL)) },
      },
      {
        title: 'Wait for a place, p95',
        description: 'For the circuit, the rate limits and a place. Above 10 s: CallsWait in the runbook.',
        unit: 's',
        warnAt: 10,
        queries: { [LEGEND]: quantile(0.95, 'ai_lane_wait_seconds', MODEL, CHOSEN) },
      },
    ],
  },
};
