import { spawnSync } from 'node:child_process';
import { beforeAll, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, ConversationRequest } from '../../src/client/types.ts';
import { countsOf, Sums, samplesOf } from '../fixtures/metrics.ts';
import { type LogLine, type ServerProcess, sharedByTests, startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import {
  answer,
  type Behaviour,
  fault,
  hang,
  type Script,
  startVendor,
  unfinished,
  type Vendor,
} from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

/** Words that stand in messages, and nowhere else. */
const WORDS = ['quokkaanswer', 'quokkatopic', 'quokkainstruction', 'quokkaopening'] as const;
const keyOf = (id: string): string => `${id}+key/0123456789=&x`;

const VENDORS = [
  { id: 'claude', kind: 'anthropic', prefix: ['ANTHROPIC', 'ANTHROPIC', 'CLAUDE'], model: 'claude-sonnet-5' },
  { id: 'chatgpt', kind: 'openai', prefix: ['OPENAI', 'OPENAI', 'CHATGPT'], model: 'gpt-4.1' },
  { id: 'gemini', kind: 'gemini', prefix: ['GOOGLE', 'GEMINI', 'GEMINI'], model: 'g' },
  { id: 'grok', kind: 'openai', prefix: ['XAI', 'XAI', 'GROK'], model: 'k' },
  { id: 'local', kind: 'openai', prefix: ['LOCAL', 'LOCAL', 'LOCAL'], model: 'm' },
] as const;

const FAULTS: readonly ((text: string) => Behaviour)[] = [
  () => fault('rate_limited'),
  (text) => unfinished(text, 'cut'),
  () => fault('server_error'),
  () => fault('overloaded'),
  (text) => unfinished(text, 'broken'),
];

const PRICED = { price: { input: 2, output: 8 } };

/** Fails one call in four, each time in another way; some models do but one thing. */
function vendorScript(id: string): Script {
  let calls = 0;
  return ({ model }) => {
    const call = ++calls;
    const text = `${WORDS[0]} ${call} a${call} b${call} c${call} d${call}`;
    if (id === 'grok') return fault('server_error');
    if (model === 'locked') return fault('authentication', { echo: keyOf(id) });
    if (model === 'small') return fault('context_too_long');
    if (model === 'hangs') return hang;
    if (model === 'parrot') return answer(`${WORDS[0]}: the same and the same again, for ever and a day.`);
    if (model === 'closer') return answer(`${text} [done]`);
    const failing = call % 4 === 0 ? FAULTS[(call / 4) % FAULTS.length] : undefined;
    return failing ? failing(text) : answer(text, { usage: { inputTokens: 100 + call, outputTokens: 7 } });
  };
}

const player = (provider: string, extra: object = {}) => ({
  provider,
  instructions: `Say ${WORDS[2]}.`,
  ...extra,
});

/** What conversations are like, and so how they end. */
const TALKS: readonly Partial<ConversationRequest>[] = [
  { agents: [player('claude'), player('chatgpt')], maxTurns: 5 },
  { agents: [player('gemini'), player('local', { fallbacks: [{ provider: 'chatgpt' }] })], maxTurns: 5 },
  { agents: [player('local', { model: 'parrot' }), player('local', { model: 'parrot' })], termination: {} },
  { agents: [player('local', { model: 'closer' }), player('embedded')], termination: { minTurns: 2 } },
  { agents: [player('chatgpt'), player('claude')], termination: { maxTotalTokens: 2500 } },
  { agents: [player('chatgpt'), player('claude')], termination: { maxCostUsd: 0.02 } },
  { agents: [player('chatgpt', { model: 'locked' }), player('embedded')] },
  { agents: [player('grok', { fallbacks: [{ provider: 'embedded' }] }), player('embedded')], maxTurns: 4 },
  { agents: [player('grok'), player('embedded')], onCircuitOpen: 'end' },
  { agents: [player('local', { model: 'small' }), player('embedded')] },
  { agents: [player('local', { model: 'hangs' }), player('embedded')] },
];
const HANGING = TALKS.length - 1;

/** The server of all tests: what one has done is there for the next to count, to check and to search. */
async function stage(): Promise<{ server: ServerProcess; vendors: Vendor[] }> {
  const environment: Record<string, string> = {};
  const vendors: Vendor[] = [];
  for (const { id, kind, prefix, model } of VENDORS) {
    const vendor = await startVendor(kind, vendorScript(id));
    whenOver(vendor.close);
    vendors.push(vendor);
    const [key, baseUrl, modelName] = prefix;
    environment[`${key}_API_KEY`] = keyOf(id);
    environment[`${baseUrl}_BASE_URL`] = vendor.baseUrl;
    environment[`${modelName}_MODEL`] = model;
  }
  const server = await startServer(
    {
      ...environment,
      LOG_LEVEL: 'debug',
      RETRY_TRIES: '4',
      RETRY_FIRST_DELAY_MS: '1',
      CIRCUIT_FAILURES: '20',
      CIRCUIT_OPEN_SECONDS: '3600',
      DAILY_COST_LIMIT_USD: '1000',
      // With a day's limit, nothing is called whose price nobody knows.
      MODEL_SETTINGS: JSON.stringify({ chatgpt: PRICED, gemini: PRICED, grok: PRICED }),
    },
    whenOver,
  );
  return { server, vendors };
}

const about = (id: string, event: string) => (line: LogLine) =>
  line['conversation_id'] === id && line.event === event;

/** Runs one conversation to its end; one that hangs is ended by its user. */
async function run(
  server: ServerProcess,
  request: Partial<ConversationRequest>,
  hangs: boolean,
): Promise<string> {
  const texts = { topic: WORDS[1], openingMessage: `Let us talk about ${WORDS[3]}.` };
  const { id } = await startTalk(server.url, { ...texts, ...request });
  if (hangs) {
    await server.logged(about(id, 'attempt.started'));
    await createClient({ baseUrl: server.url }).terminate(id, 'enough');
    await server.logged(about(id, 'attempt.abandoned'));
  }
  await server.logged(about(id, 'conversation.ended'));
  return id;
}

/** The metrics, when all lines written before them have been read. */
async function scrape(server: ServerProcess): Promise<string> {
  const response = await fetch(`${server.url}/metrics`);
  const text = await response.text();
  const id = response.headers.get('x-request-id');
  await server.logged((line) => line['request_id'] === id && line.event === 'request.completed');
  return text;
}

/** What the logs of the conversations come to. */
function sumsOf(logs: readonly ConversationEvent[][]) {
  const [turns, tokens, cost, ends, nudges] = [new Sums(), new Sums(), new Sums(), new Sums(), new Sums()];
  const named = new Set<string>([...VENDORS.map(({ model }) => model), 'eliza', 'parry']);
  for (const event of logs.flat()) {
    if (event.type === 'conversation.terminated') ends.add({ reason: event.reason });
    if (event.type === 'conversation.nudged') nudges.add({ kind: event.kind });
    const turn = event.type === 'message' && event.message.turn > 0 ? event.message.metadata : undefined;
    const call = event.type === 'attempt.spent' ? event : turn;
    if (!call) continue;
    const { provider = '', model: name = '', inputTokens, outputTokens, costUsd } = call;
    const model = named.has(name) ? name : 'other';
    if (turn) turns.add({ provider, model });
    tokens.add({ provider, model, type: 'input' }, inputTokens);
    tokens.add({ provider, model, type: 'output' }, outputTokens);
    cost.add({ provider, model }, costUsd ?? 0);
  }
  return { turns, tokens, cost, ends, nudges };
}

const { whenOver } = sharedByTests();
let server: ServerProcess;
/** 200 conversations with faults of every kind, which have ended. */
let ids: string[];
let vendors: Vendor[];
beforeAll(async () => {
  ({ server, vendors } = await stage());
  const kinds = Array.from({ length: 200 }, (_, number) => number % TALKS.length);
  ids = await Promise.all(kinds.map((kind) => run(server, TALKS[kind] ?? {}, kind === HANGING)));
});

it('7: the metrics are what the logs say, after 200 conversations with faults of every kind', async () => {
  for (const id of ids.slice(0, 10)) await (await watchSocket(server.url, id)).closed;

  const text = await scrape(server);
  const samples = samplesOf(text);
  const logs = await Promise.all(ids.map((id) => readLog(server.url, id)));
  const { turns, tokens, cost, ends, nudges } = sumsOf(logs);
  expect(countsOf(samples, 'ai_turns_total')).toEqual(turns.counts);
  expect(countsOf(samples, 'ai_turn_seconds_count')).toEqual(turns.counts);
  expect(countsOf(samples, 'ai_time_to_first_token_seconds_count')).toEqual(turns.counts);
  expect(countsOf(samples, 'ai_tokens_total')).toEqual(tokens.counts);
  expect(countsOf(samples, 'ai_conversations_ended_total')).toEqual(ends.counts);
  expect(countsOf(samples, 'ai_nudges_total')).toEqual(nudges.counts);
  const costs = countsOf(samples, 'ai_cost_usd_total');
  expect(Object.keys(costs).sort()).toEqual(Object.keys(cost.counts).sort());
  for (const [labels, usd] of Object.entries(cost.counts)) expect(costs[labels]).toBeCloseTo(usd, 9);

  // All of it was there to be counted.
  const reasons = Object.keys(ends.counts).map((labels) => /"(.*)"/.exec(labels)?.[1]);
  expect(reasons).toEqual(
    expect.arrayContaining([
      'max_turns',
      'phrase',
      'repetition',
      'token_budget',
      'cost_budget',
      'configuration_error',
      'provider_error',
      'circuit_open',
      'user',
    ]),
  );
  expect(Object.keys(nudges.counts).length).toBeGreaterThan(0);
  expect(Object.keys(costs).length).toBeGreaterThan(1);

  // What the logs of conversations don't keep stands in the lines.
  const [calls, errors, retries, fallbacks, changes] = [
    new Sums(),
    new Sums(),
    new Sums(),
    new Sums(),
    new Sums(),
  ];
  for (const line of server.log) {
    const provider = String(line['provider']);
    if (line.event === 'attempt.succeeded') calls.add({ status: 'success' });
    if (line.event === 'attempt.failed' || line.event === 'attempt.abandoned') {
      calls.add({ status: 'error' });
      const error_type = line.event === 'attempt.failed' ? String(line['error_type']) : 'aborted';
      errors.add({ provider, error_type });
      if (line['retry_in'] !== undefined && line['retry_in'] !== null) retries.add({ provider, error_type });
    }
    if (line.event === 'turn.fell_back') {
      const [from, to] = [line['from'], line['to']] as { provider: string }[];
      const reason = String(line['why']);
      fallbacks.add({ from_provider: from?.provider ?? '', to_provider: to?.provider ?? '', reason });
    }
    if (line.event === 'circuit.changed')
      changes.add({ provider, model: String(line['model']), to: String(line['to']) });
  }
  const outcomes = new Sums();
  for (const [labels, count] of Object.entries(countsOf(samples, 'ai_api_calls_total'))) {
    outcomes.add({ status: /status="(\w+)"/.exec(labels)?.[1] ?? '' }, count);
  }
  expect(outcomes.counts).toEqual(calls.counts);
  expect(countsOf(samples, 'ai_errors_total')).toEqual(errors.counts);
  expect(countsOf(samples, 'ai_retries_total')).toEqual(retries.counts);
  expect(countsOf(samples, 'ai_fallbacks_total')).toEqual(fallbacks.counts);
  expect(countsOf(samples, 'ai_circuit_changes_total')).toEqual(changes.counts);
  expect(Object.keys(retries.counts).length).toBeGreaterThan(5);
  expect(Object.keys(fallbacks.counts).length).toBeGreaterThan(1);
  const toVendors = Object.entries(countsOf(samples, 'ai_api_calls_total'))
    .filter(([labels]) => !labels.includes('"embedded"'))
    .reduce((sum, [, count]) => sum + count, 0);
  expect(toVendors).toBe(vendors.reduce((sum, { requests }) => sum + requests.length, 0));

  const seen = (name: string, labels: string) => samples.get(`${name}{${labels}}`);
  expect(seen('ai_circuit_state', 'provider="grok",model="k"')).toBe(2);
  expect(seen('ai_lane_calls', 'provider="chatgpt",model="gpt-4.1",state="running"')).toBe(0);
  expect(seen('ai_http_requests_total', 'method="POST",route="/conversations",status="201"')).toBe(200);
  expect(seen('ai_stream_resumes_total', 'transport="websocket"')).toBe(0);
  expect(seen('ai_stream_frames_sent_total', 'transport="websocket"')).toBe(
    logs.slice(0, 10).reduce((sum, log) => sum + log.length, 0),
  );
  expect(samples.get('ai_active_conversations')).toBe(0);
  expect(seen('ai_sqlite_file_bytes', 'file="database"')).toBeGreaterThan(0);
  const spent = Object.values(cost.counts).reduce((sum, usd) => sum + usd, 0);
  expect(samples.get('ai_daily_cost_usd')).toBeGreaterThanOrEqual(spent - 1e-9);
  expect(samples.get('ai_daily_cost_limit_usd')).toBe(1000);
});

const promtool = spawnSync('promtool', ['--version']).error === undefined;

it.skipIf(!promtool)('7: promtool has nothing to say against the metrics', async () => {
  await fetch(`${server.url}/nowhere`);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await scrape(server),
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toBe('');
  expect(status).toBe(0);
});

it('10: no secret and no text of a message is in 100,000 log lines', async () => {
  const list = await fetch(`${server.url}/conversations?q=${WORDS[1]}`);
  expect(list.status).toBe(200);
  const pair = { agents: [player('embedded'), player('embedded')], maxTurns: 1000 };
  while (server.log.length < 100_000) {
    await Promise.all(Array.from({ length: 12 }, () => run(server, pair, false)));
  }
  const said = server.log.map((line) => JSON.stringify(line)).join('\n');
  for (const { id } of VENDORS) {
    expect(said.includes(keyOf(id)), `the key of ${id}`).toBe(false);
    expect(said.includes(encodeURIComponent(keyOf(id))), `the key of ${id}`).toBe(false);
  }
  for (const word of WORDS) expect(said.includes(word), `the word ${word}`).toBe(false);
  // The vendor did say its key, and what was said is in the log of a conversation.
  expect(said.includes('[masked]')).toBe(true);
  const { id } = await startTalk(server.url, { ...TALKS[0], topic: WORDS[1] });
  await server.logged(about(id, 'conversation.ended'));
  expect(JSON.stringify(await readLog(server.url, id))).toContain(WORDS[0]);
});
