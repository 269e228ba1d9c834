/**
 * Every metric of the server: the registry is built from this table, and docs/metrics.md is written from it. Units
 * are seconds, bytes and US dollars. No label has more values than the configuration, the routes and this code
 * have names, so that no user can make new time series.
 */
interface MetricDescription {
  readonly name: `ai_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds, in the metric's unit. */
  readonly buckets?: readonly number[];
  /** Where it is there only in some servers. */
  readonly onlyWith?: string;
}

const TURN_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const WAIT_BUCKETS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

export const METRICS = {
  // Calls of models. The first five are of docs/protocol.md, section 7.
  calls: {
    name: 'ai_api_calls_total',
    type: 'counter',
    labels: ['provider', 'model', 'status'],
    help: 'Calls of a model, by outcome: success or error.',
  },
  responseSeconds: {
    name: 'ai_response_seconds',
    type: 'histogram',
    labels: ['provider', 'model'],
    help: 'Time from the call of a model to the end of its answer, in seconds.',
    buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60],
  },
  tokens: {
    name: 'ai_tokens_total',
    type: 'counter',
    labels: ['provider', 'model', 'type'],
    help: 'Tokens of the calls in the log, input or output.',
  },
  errors: {
    name: 'ai_errors_total',
    type: 'counter',
    labels: ['provider', 'error_type'],
    help: 'Failed calls of a model, by kind of failure; aborted where the server ended the call.',
  },
  activeConversations: {
    name: 'ai_active_conversations',
    type: 'gauge',
    labels: [],
    help: 'Conversations that run in this process.',
  },
  timeToFirstTokenSeconds: {
    name: 'ai_time_to_first_token_seconds',
    type: 'histogram',
    labels: ['provider', 'model'],
    help: 'Time from the call of a model to the first text of its answer, in seconds.',
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  outputTokensPerSecond: {
    name: 'ai_output_tokens_per_second',
    type: 'histogram',
    labels: ['provider', 'model'],
    help: 'Output tokens of an answer divided by the time its call took; answers within a millisecond are left out.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
  },
  cost: {
    name: 'ai_cost_usd_total',
    type: 'counter',
    labels: ['provider', 'model'],
    help: 'US dollars that the calls in the log cost, as far as prices are known.',
  },
  dailyCost: {
    name: 'ai_daily_cost_usd',
    type: 'gauge',
    labels: [],
    help: 'US dollars of this UTC day that are spent, or set aside for calls under way.',
    onlyWith: 'DAILY_COST_LIMIT_USD',
  },
  dailyCostLimit: {
    name: 'ai_daily_cost_limit_usd',
    type: 'gauge',
    labels: [],
    help: 'US dollars that may be spent in a UTC day.',
    onlyWith: 'DAILY_COST_LIMIT_USD',
  },

  // Turns and conversations.
  turns: {
    name: 'ai_turns_total',
    type: 'counter',
    labels: ['provider', 'model'],
    help: 'Turns that are in the log.',
  },
  turnSeconds: {
    name: 'ai_turn_seconds',
    type: 'histogram',
    labels: ['provider', 'model'],
    help: 'Time from the end of the turn before, or the start of the run, until a turn is in the log, with all waits and tries, in seconds.',
    buckets: TURN_BUCKETS,
  },
  conversations: {
    name: 'ai_conversations',
    type: 'gauge',
    labels: ['status'],
    help: 'Conversations of this process that have not ended: running, or queued for a place.',
  },
  retrievals: {
    name: 'ai_retrievals_total',
    type: 'counter',
    labels: ['outcome'],
    help: 'Lookups of passages for a turn: found, empty where nothing was, failed where a collection could not be searched.',
  },
  retrievalsDegraded: {
    name: 'ai_retrievals_degraded_total',
    type: 'counter',
    labels: [],
    help: 'Lookups that compared words alone, since the vendor of embeddings was away, or that failed.',
  },
  retrievedPassages: {
    name: 'ai_retrieved_passages_total',
    type: 'counter',
    labels: [],
    help: 'Passages that agents were shown.',
  },
  retrievalSeconds: {
    name: 'ai_retrieval_seconds',
    type: 'histogram',
    labels: [],
    help: 'Time that a lookup of passages for a turn took, in seconds.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
  },
  conversationsResumed: {
    name: 'ai_conversations_resumed_total',
    type: 'counter',
    labels: [],
    help: 'Conversations that went on in the middle: after a restart, a failover, or an error of the storage.',
  },
  conversationsEnded: {
    name: 'ai_conversations_ended_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Conversations that ended, by reason.',
  },
  guardFindings: {
    name: 'ai_guard_findings_total',
    type: 'counter',
    labels: ['scanner', 'kind', 'action', 'way'],
    help: 'What guards found, in texts on their way in or out; action is what was done about it, or error where a scanner could not look.',
  },
  queueWaitSeconds: {
    name: 'ai_queue_wait_seconds',
    type: 'histogram',
    labels: [],
    help: 'Time from the creation of a conversation to its first run, in seconds.',
    buckets: WAIT_BUCKETS,
  },
  nudges: {
    name: 'ai_nudges_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Words of the moderator to agents that go round in circles, by kind of loop.',
  },

  choices: {
    name: 'ai_speaker_choices_total',
    type: 'counter',
    labels: ['by'],
    help: 'Choices of the next speaker: by a moderator, a human, or the fallback where the moderator named nobody who can speak.',
  },
  ballots: {
    name: 'ai_ballots_total',
    type: 'counter',
    labels: ['result'],
    help: 'Ballots cast: valid or invalid.',
  },
  outcomes: {
    name: 'ai_outcomes_total',
    type: 'counter',
    labels: ['type', 'result'],
    help: 'Votes, consensus and verdicts, with a winner or with none.',
  },
  approvals: {
    name: 'ai_approvals_total',
    type: 'counter',
    labels: ['decision'],
    help: 'Replies that were held back, by what was decided: approve, edit or reject.',
  },
  pauses: {
    name: 'ai_pauses_total',
    type: 'counter',
    labels: ['for'],
    help: 'Waits of conversations: for the user, a human agent, or an approval.',
  },
  pauseSeconds: {
    name: 'ai_pause_seconds',
    type: 'histogram',
    labels: ['for'],
    help: 'Time that a wait lasted until what was waited for came, or the end, in seconds.',
    buckets: [1, 10, 60, 300, 1800, 3600, 14_400, 86_400, 604_800],
  },

  // Resilience.
  retries: {
    name: 'ai_retries_total',
    type: 'counter',
    labels: ['provider', 'error_type'],
    help: 'Failed calls after which the turn was tried again, by the same model or another.',
  },
  repeatedCalls: {
    name: 'ai_repeated_calls_total',
    type: 'counter',
    labels: ['provider'],
    help: 'Calls that were made once more, since the vendor had closed the connection that was kept.',
  },
  fallbacks: {
    name: 'ai_fallbacks_total',
    type: 'counter',
    labels: ['from_provider', 'to_provider', 'reason'],
    help: "Turns that another model took over: from an agent's provider to its fallback's or back, by what made it.",
  },
  circuitState: {
    name: 'ai_circuit_state',
    type: 'gauge',
    labels: ['provider', 'model'],
    help: 'Circuit to a model: 0 closed, 1 half_open, 2 open.',
  },
  circuitChanges: {
    name: 'ai_circuit_changes_total',
    type: 'counter',
    labels: ['provider', 'model', 'to'],
    help: 'Changes of the circuit to a model, by new state.',
  },
  laneWaitSeconds: {
    name: 'ai_lane_wait_seconds',
    type: 'histogram',
    labels: ['provider', 'model'],
    help: 'Time that a call waited for the circuit, the rate limits and a place, in seconds.',
    buckets: WAIT_BUCKETS,
  },
  laneCalls: {
    name: 'ai_lane_calls',
    type: 'gauge',
    labels: ['provider', 'model', 'state'],
    help: 'Calls to a model: running, or waiting for the circuit, the rate limits or a place.',
  },
  lanePlaces: {
    name: 'ai_lane_places',
    type: 'gauge',
    labels: ['provider', 'model'],
    help: 'Calls to a model that may run at once at the moment.',
  },

  // Streams.
  streamClients: {
    name: 'ai_stream_clients',
    type: 'gauge',
    labels: ['transport'],
    help: 'Open streams, by transport: websocket or sse.',
  },
  streamFramesSent: {
    name: 'ai_stream_frames_sent_total',
    type: 'counter',
    labels: ['transport'],
    help: 'Frames handed to the connections of readers.',
  },
  streamFramesDropped: {
    name: 'ai_stream_frames_dropped_total',
    type: 'counter',
    labels: ['transport', 'reason'],
    help: 'Frames that did not go out: closed where the connection was ending, too_slow where the reader had left too much unread.',
  },
  streamResumes: {
    name: 'ai_stream_resumes_total',
    type: 'counter',
    labels: ['transport'],
    help: 'Streams that came back with a cursor.',
  },
  streamSlowCloses: {
    name: 'ai_stream_slow_closes_total',
    type: 'counter',
    labels: ['transport'],
    help: 'Streams closed because their readers were too slow.',
  },

  // HTTP and storage.
  httpRequests: {
    name: 'ai_http_requests_total',
    type: 'counter',
    labels: ['method', 'route', 'status'],
    help: 'Answered requests, by route template; none where no route fits. Server-Sent Events count at their end.',
  },
  httpRequestSeconds: {
    name: 'ai_http_request_seconds',
    type: 'histogram',
    labels: ['method', 'route', 'status'],
    help: 'Time from the arrival of a request to the end of its answer, in seconds; without streams.',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  appendSeconds: {
    name: 'ai_append_seconds',
    type: 'histogram',
    labels: ['backend'],
    help: 'Time until an append to the log is durable or refused, in seconds; backend is sqlite or redis.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  storageRefusals: {
    name: 'ai_storage_refusals_total',
    type: 'counter',
    labels: ['backend'],
    help: 'Appends of runs that the log refused for good; their conversations end with storage_error as soon as that can be written.',
  },
  sqliteBytes: {
    name: 'ai_sqlite_file_bytes',
    type: 'gauge',
    labels: ['file'],
    help: 'Size of the SQLite files: database and wal.',
    onlyWith: 'the embedded storage (no REDIS_URL)',
  },
  jobs: {
    name: 'ai_queue_jobs',
    type: 'gauge',
    labels: ['state'],
    help: 'Conversations of all instances as BullMQ has them: waiting, active or delayed.',
    onlyWith: 'REDIS_URL',
  },
  protectionShared: {
    name: 'ai_protection_shared',
    type: 'gauge',
    labels: ['kind'],
    help: "Whether what shields vendors is shared with the other instances (1), or this one's alone, because Redis doesn't answer (0); kind is circuit or rate_limit.",
    onlyWith: 'REDIS_URL',
  },

  webhookDeliveries: {
    name: 'ai_webhook_deliveries_total',
    type: 'counter',
    labels: ['outcome'],
    help: 'Tries to tell a webhook, by what came of them: delivered, retried (it is tried again), failed (it is not) or disabled (answered with 410).',
  },
  webhookLagSeconds: {
    name: 'ai_webhook_lag_seconds',
    type: 'histogram',
    labels: [],
    help: 'Time from an event until a webhook has been told it, with all tries before, in seconds; of a replay that is the age of what is told again.',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43_200, 172_800],
  },

  // The process.
  logLines: {
    name: 'ai_log_lines_total',
    type: 'counter',
    labels: ['level'],
    help: 'Lines written to the log, by level.',
  },
  logWriteErrors: {
    name: 'ai_log_write_errors_total',
    type: 'counter',
    labels: [],
    help: 'Writes of log lines to standard output that failed; each is tried again.',
  },
  logLinesLost: {
    name: 'ai_log_lines_lost_total',
    type: 'counter',
    labels: [],
    help: 'Log lines that were lost, as standard output took none of those before them.',
  },
  build: {
    name: 'ai_build_info',
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1: the versions of the server and of Node.',
  },
} as const satisfies Record<string, MetricDescription>;

export type MetricKey = keyof typeof METRICS;

/** What a name is counted under that is not among the known ones. */
export const OTHER = 'other';
/** The route of requests that no route fits. */
export const NO_ROUTE = 'none';
