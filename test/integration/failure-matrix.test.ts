import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, Message, StreamFrame, TurnFailed } from '../../src/client/types.ts';
import { compose } from '../../src/compose.ts';
import { readConfig } from '../../src/config/config.ts';
import type { VendorId } from '../../src/providers/catalog.ts';
import { DOCUMENTED_FAILURES } from '../fixtures/failures-document.ts';
import { follow } from '../fixtures/follower.ts';
import { addressOf } from '../fixtures/scripted-server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { faultsOf, type MatrixFault, VOID } from '../fixtures/vendors/matrix.ts';
import {
  answer,
  type Script,
  startVendor,
  type Vendor,
  type VendorKind,
  type VendorRequest,
} from '../fixtures/vendors.ts';
import { type Watcher, watchSocket } from '../fixtures/watcher.ts';

const TRIES = 3;
/** How long a call may take that nothing but a timeout ends. */
const PATIENCE_SECONDS = 8;
const OPENING = 'These are the opening words.';

const PROVIDERS: { id: VendorId; kind: VendorKind; variable: string }[] = [
  { id: 'claude', kind: 'anthropic', variable: 'ANTHROPIC' },
  { id: 'chatgpt', kind: 'openai', variable: 'OPENAI' },
  { id: 'gemini', kind: 'gemini', variable: 'GEMINI' },
  { id: 'grok', kind: 'openai', variable: 'XAI' },
  { id: 'perplexity', kind: 'openai', variable: 'PERPLEXITY' },
  { id: 'local', kind: 'openai', variable: 'LOCAL' },
];

/**
 * One conversation of three turns, spoken by one model that nobody else calls, so that no cell sees the
 * circuit of another. Its first turn succeeds; from there `failures` calls fail.
 */
interface Cell {
  title: string;
  provider: VendorId;
  model: string;
  fault: MatrixFault;
  failures: number;
  /** Whether the conversation survives. */
  survives: boolean;
}

/** What became of a cell. */
interface Outcome {
  frames: StreamFrame[];
  closed: number | string;
  log: ConversationEvent[];
  messages: Message[];
  requests: VendorRequest[];
}

const CELLS: Cell[] = PROVIDERS.flatMap(({ id, kind }) =>
  faultsOf(id, kind).flatMap((fault, row) => cellsOf(id, fault, `cell-${row}`)),
);

/** A failure that can be mended comes once and then to stay; any other is there once. */
function cellsOf(provider: VendorId, fault: MatrixFault, model: string): Cell[] {
  const { retryable = false, reason } = DOCUMENTED_FAILURES[fault.failure] ?? {};
  const name = `${provider} × ${fault.name}`;
  const tries = fault.failure === 'context_too_long' ? 2 : retryable && !fault.isFinal ? TRIES : 1;
  const calls = tries === 1 ? '1 call' : `${tries} calls`;
  const lasting: Cell = {
    title: `${name}${tries === 1 ? '' : ', again and again'}: ends with ${reason} after ${calls}`,
    provider,
    model: `${model}-lasting`,
    fault,
    failures: tries,
    survives: false,
  };
  if (tries === 1) return [lasting];
  const goesOn = fault.asks
    ? 'waits as long as it asks, then goes on'
    : fault.failure === 'context_too_long'
      ? 'goes on with half of the messages'
      : 'goes on';
  return [
    { title: `${name}: ${goesOn}`, provider, model: `${model}-once`, fault, failures: 1, survives: true },
    lasting,
  ];
}

let stage: { url: string; vendors: Map<VendorId, Vendor>; close: () => Promise<void> };
const outcomes = new Map<Cell, Promise<Outcome>>();
/** Fulfilled when somebody watches the conversation of that provider and model: before, it says nothing. */
const watched = new Map(
  CELLS.map(({ provider, model }) => [`${provider}/${model}`, Promise.withResolvers<void>()]),
);

beforeAll(async () => {
  stage = await openStage();
  await Promise.all(PROVIDERS.map(({ id }) => beginAll(id)));
});
afterAll(() => stage.close());

/** Only what hangs is given up soon, since nothing else ends it; all else takes as long as the machine does. */
function limitsOf({ fault }: Cell): object {
  return fault.isHanging
    ? { firstTokenTimeoutSeconds: PATIENCE_SECONDS, callTimeoutSeconds: PATIENCE_SECONDS }
    : {};
}

/** A server in this process whose vendors are local ones. */
async function openStage(): Promise<typeof stage> {
  const folder = await mkdtemp(join(tmpdir(), 'aic-'));
  const vendors = new Map<VendorId, Vendor>();
  const environment: Record<string, string> = {
    DATA_DIR: folder,
    RETRY_TRIES: `${TRIES}`,
    RETRY_FIRST_DELAY_MS: '0',
    // Only models that the server knows by name are counted by it.
    MODEL_SETTINGS: JSON.stringify(
      Object.fromEntries(CELLS.map((cell) => [`${cell.provider}/${cell.model}`, limitsOf(cell)])),
    ),
  };
  for (const { id, kind, variable } of PROVIDERS) {
    const vendor = await startVendor(kind, scriptOf(id));
    vendors.set(id, vendor);
    environment[`${variable}_BASE_URL`] = vendor.baseUrl;
    environment[`${variable}_API_KEY`] = `key-of-${id}-0123456789`;
  }
  const platform = await compose(readConfig(environment, '/dev/null'), { write: () => {} });
  await platform.app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: addressOf(platform.app.server),
    vendors,
    async close() {
      await platform.close();
      for (const vendor of vendors.values()) await vendor.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The second call fails, and as many after it as the cell says; each answer tells which call it is of. */
function scriptOf(provider: VendorId): Script {
  const cells = new Map(CELLS.filter((cell) => cell.provider === provider).map((cell) => [cell.model, cell]));
  const calls = new Map<string, number>();
  return async ({ model }) => {
    const cell = cells.get(model);
    if (!cell) throw new Error(`nobody plays ${model}`);
    const call = (calls.get(model) ?? 0) + 1;
    calls.set(model, call);
    await watched.get(`${provider}/${model}`)?.promise;
    return call > 1 && call <= 1 + cell.failures ? cell.fault.behaviour() : answer(`This is answer ${call}.`);
  };
}

/** Begins all cells of a provider, which then go on side by side, since most of them wait. */
async function beginAll(provider: VendorId): Promise<void> {
  const cells = CELLS.filter((cell) => cell.provider === provider);
  // What only a timeout ends takes longest.
  const hanging = cells.filter(({ fault }) => fault.isHanging);
  for (const cell of new Set([...hanging, ...cells])) {
    const { id, watcher } = await begin(cell);
    const outcome = outcomeOf(cell, id, watcher);
    // Its test is the one to say so, if it comes to that.
    outcome.catch(() => undefined);
    outcomes.set(cell, outcome);
  }
}

/** Starts the conversation of a cell, and watches it from its first call on. */
async function begin({ provider, model }: Cell): Promise<{ id: string; watcher: Watcher }> {
  const { id } = await startTalk(stage.url, {
    openingMessage: OPENING,
    agents: [
      { provider, model, name: 'Ada' },
      { provider, model, name: 'Ben' },
    ],
    maxTurns: 3,
    contextMessages: 2,
  });
  const watcher = await watchSocket(stage.url, id);
  watched.get(`${provider}/${model}`)?.resolve();
  return { id, watcher };
}

async function outcomeOf({ provider, model }: Cell, id: string, watcher: Watcher): Promise<Outcome> {
  const closed = await watcher.closed;
  const { items: messages } = await createClient({ baseUrl: stage.url }).messages(id);
  return {
    frames: watcher.frames,
    closed,
    log: await readLog(stage.url, id),
    messages,
    requests: stage.vendors.get(provider)?.requests.filter((request) => request.model === model) ?? [],
  };
}

/** What the server counts of a provider: failures by their kind, and calls by model and status. */
async function counted(provider: VendorId): Promise<Record<'errors' | 'calls', Record<string, number>>> {
  const text = await (await fetch(`${stage.url}/metrics`)).text();
  const values = (pattern: RegExp): Record<string, number> =>
    Object.fromEntries([...text.matchAll(pattern)].map(([, name, value]) => [name, Number(value)]));
  return {
    errors: values(
      new RegExp(`^ai_errors_total\\{provider="${provider}",error_type="(\\w+)"\\} (\\d+)$`, 'gm'),
    ),
    calls: values(
      new RegExp(
        `^ai_api_calls_total\\{provider="${provider}",(model="[^"]+",status="\\w+")\\} (\\d+)$`,
        'gm',
      ),
    ),
  };
}

const failuresIn = (frames: readonly StreamFrame[]): TurnFailed[] =>
  frames.filter((frame) => frame.type === 'turn.failed');

/** Nothing is waited where nothing is asked, since the first delay is 0 here. */
function isAsAsked(wait: number | null, asks: MatrixFault['asks'] = { exactly: 0 }): boolean {
  if ('exactly' in asks) return wait === asks.exactly;
  return wait !== null && wait > 0 && wait <= asks.upTo;
}

async function outcomeFor(cell: Cell): Promise<Outcome> {
  const outcome = outcomes.get(cell);
  if (!outcome) throw new Error('it never began');
  return await outcome;
}

describe.each(PROVIDERS)('$id', ({ id: provider }) => {
  const cells = CELLS.filter((cell) => cell.provider === provider);

  it.each(cells.map((cell) => [cell.title, cell] as const))('%s', async (_title, cell) => {
    const { fault, failures, survives } = cell;
    const { frames, closed, log, messages, requests } = await outcomeFor(cell);
    expect(closed).toBe(1000);
    expect(follow(frames).events, '4.1: who watches sees the log').toEqual(log);

    // Answers are numbered by calls: the second turn's is that of the first call that didn't fail.
    const said = survives ? [1, 2 + failures, 3 + failures] : [1];
    expect(messages.map(({ turn, content }) => [turn, content])).toEqual([
      [0, OPENING],
      ...said.map((call, index) => [index + 1, `This is answer ${call}.`]),
    ]);
    expect(turnsOf(log)).toEqual(messages.map(({ turn }) => turn));
    expect(messages.slice(1).map(({ metadata }) => metadata.attempts)).toEqual(
      survives ? [1, failures + 1, 1] : [1],
    );
    expect(requests, 'calls that reached the vendor').toHaveLength(failures + said.length);

    const failed = failuresIn(frames);
    const code = expect.stringMatching(new RegExp(`^${fault.failure}: .`)) as string;
    for (const frame of failed) expect(frame).toMatchObject({ turn: 2, agent: 'Ben', error: code });
    const waits = failed.map(({ retryInMs }) => retryInMs);
    expect(waits).toHaveLength(failures);
    expect(waits.at(-1) === null, 'the last failure is final').toBe(!survives);
    const retried = survives ? waits : waits.slice(0, -1);
    expect(retried.filter((wait) => !isAsAsked(wait, fault.asks))).toEqual([]);

    expect(JSON.stringify(log)).not.toContain(VOID);
    const voided = failed.map(({ attempt }) => attempt);
    const heard = frames.flatMap((frame) => (frame.type === 'turn.delta' ? [frame.attempt] : []));
    expect(new Set(voided).size, '1: no two attempts have one name').toBe(failures);
    expect(fault.isShown ? voided.filter((attempt) => !heard.includes(attempt)) : []).toEqual([]);

    const { reason } = DOCUMENTED_FAILURES[fault.failure] ?? {};
    expect(log.at(-1)).toMatchObject({
      type: 'conversation.terminated',
      by: 'system',
      ...(survives
        ? { reason: 'max_turns' }
        : { reason, detail: `Ben (${provider}): ${failed.at(-1)?.error}` }),
    });
  });

  const long = cells.filter(({ fault }) => fault.failure === 'context_too_long');
  it.each(long.map((cell) => [cell.title, cell] as const))('%s: what it is shown', async (_title, cell) => {
    const { requests } = await outcomeFor(cell);
    const [, first, second] = requests.map(({ body }) => JSON.stringify(body));
    expect(first).toContain(OPENING);
    expect(second).not.toContain(OPENING);
    expect(second).toContain('This is answer 1.');
  });

  it(`7: ${provider}'s calls are counted by their outcome, its failures by their kind`, async () => {
    await Promise.all(cells.map(outcomeFor));
    const errors: Record<string, number> = {};
    const calls: Record<string, number> = {};
    for (const { fault, failures, survives, model } of cells) {
      errors[fault.failure] = (errors[fault.failure] ?? 0) + failures;
      calls[`model="${model}",status="error"`] = failures;
      calls[`model="${model}",status="success"`] = survives ? 3 : 1;
    }
    expect(await counted(provider)).toEqual({ errors, calls });
  });
});
