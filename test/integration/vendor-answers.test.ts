import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationEvent, ConversationRequest, StreamFrame } from '../../src/client/types.ts';
import { compose, type Platform } from '../../src/compose.ts';
import { readConfig } from '../../src/config/config.ts';
import { call } from '../fixtures/http.ts';
import { addressOf } from '../fixtures/scripted-server.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import answers from '../fixtures/vendors/answers.json' with { type: 'json' };
import { watchSocket } from '../fixtures/watcher.ts';

/** What a server of the OpenAI form answers to its first call, or to each whose body has a word. */
interface Case {
  name: string;
  kind: string;
  status?: number;
  headers?: Record<string, string>;
  /** Each a write of its own. */
  chunks?: readonly string[];
  open?: boolean;
  cut?: boolean;
  every500ms?: string;
  body?: unknown;
  whenBodyHas?: string;
  right: {
    content?: string;
    attempts?: number;
    failed?: boolean;
    code?: string;
    answered?: boolean;
    secondTurnCalls?: number;
    detailHas?: string;
    calls?: number;
    nextPromptIsShorter?: boolean;
    spokeFor?: string;
    /** The ending's reason. */
    reason?: string;
    /** Seconds until the next try. */
    waitsAtMostSeconds?: number;
    goesOn?: boolean;
    circuit?: string;
    note?: string;
    /** A connection that is left open would be waited for until the call's bound, which is 120 s. */
    withinMs?: number;
  };
}

const say = (content: unknown, more: object = {}): string =>
  `data: ${JSON.stringify({ id: '1', choices: [{ index: 0, delta: { content }, finish_reason: null, ...more }] })}\n\n`;
const end = (finish_reason = 'stop'): string =>
  `data: ${JSON.stringify({ id: '1', choices: [{ index: 0, delta: {}, finish_reason }] })}\n\n`;
const DONE = 'data: [DONE]\n\n';
const whole = (...pieces: string[]): string[] => [...pieces.map((piece) => say(piece)), end(), DONE];
const heard = (content: string) => ({ content, attempts: 1 });

/** More of each kind. */
const MORE: Case[] = [
  {
    name: 'content-as-parts',
    kind: 'A',
    chunks: [say([{ type: 'text', text: 'A whole ' }, { text: 7 }]), ...whole('answer.')],
    right: heard('A whole answer.'),
  },
  {
    name: 'content-as-number',
    kind: 'A',
    chunks: [say(7), say({}), ...whole('A whole answer.')],
    right: heard('A whole answer.'),
  },
  {
    name: 'thinking-split',
    kind: 'B',
    chunks: whole('\n<th', 'ink', '>No', 't </thi', 'this.</thi', 'nk', '>\n', '\nThe ', 'answer.'),
    right: heard('The answer.'),
  },
  {
    name: 'thinking-twice',
    kind: 'B',
    chunks: whole('<thinking>one</thinking> <think>two</think>The answer.'),
    right: heard('The answer.'),
  },
  {
    name: 'channels',
    kind: 'B',
    chunks: whole(
      '<|channel|>analysis<|message|>Hmm.<|end|><|start|>assis',
      'tant<|channel|>final<|message|>The answer.<|return|>',
    ),
    right: heard('The answer.'),
  },
  {
    name: 'lone-closing-tag',
    kind: 'B',
    chunks: whole('I must not say [done].</think>\n\nThe answer.'),
    right: heard('The answer.'),
  },
  {
    name: 'reasoning-apart',
    kind: 'B',
    chunks: [`data: {"choices":[{"delta":{"reasoning_content":"Hmm."}}]}\n\n`, ...whole('The answer.')],
    right: heard('The answer.'),
  },
  {
    name: 'only-thoughts',
    kind: 'B',
    chunks: whole('<think>I never come to an end'),
    right: { failed: true, code: 'empty' },
  },
  {
    name: 'angle-brackets',
    kind: 'B',
    chunks: whole('<thi', 's> is no thought'),
    right: heard('<this> is no thought'),
  },
  { name: 'finish-error', kind: 'C', chunks: [say('Half'), end('error'), DONE], right: { failed: true } },
  { name: 'finish-unknown', kind: 'C', chunks: [say('Half'), end('sleepy'), DONE], right: { failed: true } },
  {
    name: 'finish-eos',
    kind: 'C',
    chunks: [say('A whole answer.'), end('eos'), DONE],
    right: heard('A whole answer.'),
  },
  {
    name: 'cut-after-finish',
    kind: 'C',
    cut: true,
    chunks: [say('A whole answer.'), end()],
    right: heard('A whole answer.'),
  },
  {
    name: 'error-after-finish',
    kind: 'C',
    chunks: [say('A whole answer.'), end(), 'data: {"error":{"message":"late"}}\n\n'],
    right: heard('A whole answer.'),
  },
  {
    name: 'max-tokens-refused',
    kind: 'D',
    status: 400,
    whenBodyHas: 'max_tokens',
    body: {
      error: {
        message:
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      },
    },
    right: { answered: true, secondTurnCalls: 1 },
  },
  {
    name: 'system-refused',
    kind: 'D',
    status: 400,
    whenBodyHas: '"role":"system"',
    body: { detail: 'System role not supported' },
    right: { answered: true, secondTurnCalls: 1 },
  },
  {
    name: 'whole-json',
    kind: 'E',
    headers: { 'content-type': 'application/json' },
    body: {
      choices: [{ message: { role: 'assistant', content: 'A whole answer.' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    },
    right: heard('A whole answer.'),
  },
  {
    name: 'overload-with-200',
    kind: 'E',
    body: { error: { message: 'Overloaded', code: 529 } },
    right: { failed: true, code: 'overloaded' },
  },
  {
    name: 'stream-of-no-type',
    kind: 'E',
    headers: { 'content-type': 'text/plain' },
    chunks: whole('A whole answer.'),
    right: heard('A whole answer.'),
  },
  {
    name: 'quota-as-event',
    kind: 'F',
    chunks: ['data: {"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}\n\n'],
    right: { code: 'quota_exhausted', calls: 1 },
  },
  {
    name: 'overload-as-event',
    kind: 'F',
    chunks: [say('Half'), 'data: {"error":{"message":"The engine is currently overloaded"}}\n\n'],
    right: { failed: true, code: 'overloaded' },
  },
  {
    name: 'loading',
    kind: 'I',
    status: 503,
    body: { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } },
    headers: { 'retry-after': '0' },
    right: { failed: true, code: 'overloaded' },
  },
  {
    name: 'comments-as-data',
    kind: 'J',
    chunks: ['data: : keepalive\n\n', 'event: ping\n\n', ': hello\n\n', ...whole('A whole answer.')],
    right: heard('A whole answer.'),
  },
  { name: 'bold-name', kind: 'M', chunks: whole('**Ada', ':** I agree.'), right: heard('I agree.') },
  {
    name: 'name-of-another-word',
    kind: 'M',
    chunks: whole('Ada', 'mant I am.'),
    right: heard('Adamant I am.'),
  },
  {
    name: 'speaks-for-another',
    kind: 'M',
    chunks: whole('I agree.\n', '\nBe', 'n: So do I.'),
    right: { ...heard('I agree.'), spokeFor: 'Ben' },
  },
  {
    name: 'speaks-of-another',
    kind: 'M',
    chunks: whole('I agree.\nBen', 't wood: no.'),
    right: heard('I agree.\nBent wood: no.'),
  },
  {
    name: 'zero-width-and-spaces',
    kind: 'N',
    chunks: whole('\u200b \u2060\n\ufeff'),
    right: { failed: true, code: 'empty' },
  },
];

const GIVEN = answers as unknown as Case[];
/** Needs a talk of its own: see `too long`. */
const HALVED = 'halve-what-was-sent';
const CASES = [...GIVEN.filter(({ name }) => name !== HALVED), ...MORE];

interface Outcome {
  frames: StreamFrame[];
  log: ConversationEvent[];
  calls: string[];
  tookMs: number;
}

let platform: Platform;
let url: string;
let close: () => Promise<void>;
const calls = new Map<string, string[]>();
const outcomes = new Map<string, Promise<Outcome>>();
/** Fulfilled when somebody watches: before, nothing is answered. */
const watched = new Map(CASES.map(({ name }) => [name, Promise.withResolvers<void>()]));

beforeAll(async () => {
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const environment = {
    DATA_DIR: temporaryFolder(afterAll),
    LOCAL_BASE_URL: `${addressOf(server)}/v1`,
    RETRY_FIRST_DELAY_MS: '0',
  };
  platform = await compose(readConfig(environment, '/dev/null'), { write: () => {} });
  await platform.app.listen({ host: '127.0.0.1', port: 0 });
  url = addressOf(platform.app.server);
  close = async () => {
    await platform.close();
    server.close();
    server.closeAllConnections();
  };
  for (const { name } of CASES) outcomes.set(name, run(name));
});
afterAll(() => close());

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readText(request);
  const { model, messages } = JSON.parse(body) as ChatBody;
  if (model === HALVED) return answerShortPrompts(body, messages, response);
  await watched.get(model)?.promise;
  const found = CASES.find(({ name }) => name === model);
  const made = calls.get(model) ?? [];
  calls.set(model, [...made, body]);
  const isMet = found?.whenBodyHas
    ? JSON.stringify(Object.entries(JSON.parse(body)).filter(([field]) => field !== 'model')).includes(
        found.whenBodyHas,
      )
    : made.length === 0;
  if (found && isMet) await play(found, response);
  else
    response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .end(whole(`Fine, ${made.length}.`).join(''));
}

interface ChatBody {
  model: string;
  messages: { role: string; content: string }[];
}

const lengthOf = (messages: ChatBody['messages']): number =>
  messages.reduce((sum, { role, content }) => sum + (role === 'system' ? 0 : content.length), 0);

function answerShortPrompts(body: string, messages: ChatBody['messages'], response: ServerResponse): void {
  calls.set(HALVED, [...(calls.get(HALVED) ?? []), body]);
  if (lengthOf(messages) > 900) {
    const error = {
      code: 'context_length_exceeded',
      message: 'This model takes no more than 900 characters.',
    };
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  } else {
    response
      .writeHead(200, { 'content-type': 'text/event-stream' })
      .end(whole(`Turn by turn, I say ${messages.length} other things. `.repeat(30)).join(''));
  }
}

/** Ada meets the case in the first turn, and speaks again in the third. */
async function run(name: string): Promise<Outcome> {
  const startedAt = performance.now();
  const request: Partial<ConversationRequest> = {
    agents: [
      { name: 'Ada', provider: 'local', model: name },
      { name: 'Ben', provider: 'local', model: 'fine' },
    ],
    // Long enough for half of it to be shown.
    openingMessage: 'Is tea better than coffee, and how would you know? '.repeat(20),
    maxTurns: 3,
  };
  const { id } = await startTalk(url, request);
  const { frames, closed } = await watchSocket(url, id);
  watched.get(name)?.resolve();
  await closed;
  return {
    frames,
    log: await readLog(url, id),
    calls: calls.get(name) ?? [],
    tookMs: performance.now() - startedAt,
  };
}

async function play(given: Case, response: ServerResponse): Promise<void> {
  response.writeHead(given.status ?? 200, { 'content-type': 'text/event-stream', ...given.headers });
  if (given.body !== undefined) return void response.end(JSON.stringify(given.body));
  for (const chunk of given.chunks ?? []) {
    response.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (given.cut) response.destroy();
  else if (given.open) {
    const beat = setInterval(() => response.write(given.every500ms ?? ''), 500);
    response.once('close', () => clearInterval(beat));
  } else response.end();
}

function spoken(log: readonly ConversationEvent[], turn: number) {
  return log.flatMap((event) =>
    event.type === 'message' && event.message.turn === turn ? [event.message] : [],
  )[0];
}

describe('what vendors answer', () => {
  it.each(CASES.map((given) => [given.kind, given.name, given.right] as const))(
    '%s: %s',
    async (_, name, right) => {
      const { frames, log, calls, tookMs } = (await outcomes.get(name)) as Outcome;
      const { items } = (await call(url, '/providers')).body as { items: { id: string; circuit: string }[] };
      const circuit = items.find(({ id }) => id === 'local')?.circuit;
      const message = spoken(log, 1);
      const said = frames.flatMap((frame) => (frame.type === 'turn.delta' ? [frame] : []));
      const failures = frames.flatMap((frame) => (frame.type === 'turn.failed' ? [frame] : []));
      const ending = log.at(-1);

      const checks: {
        [Field in keyof Case['right']]-?: (wanted: NonNullable<Case['right'][Field]>) => void;
      } = {
        content: (content) => {
          expect(message?.content).toBe(content);
          const { attempt } = message?.metadata ?? {};
          const shown = said.filter((frame) => frame.attempt === attempt).map(({ text }) => text);
          expect(shown.join('')).toBe(content);
        },
        attempts: (attempts) => expect(message?.metadata.attempts).toBe(attempts),
        failed: () => expect(failures.length).toBeGreaterThan(0),
        code: (code) => expect(failures[0]?.error ?? '').toContain(code),
        answered: () => expect(message?.content).toMatch(/^Fine/),
        // It is remembered what the model doesn't take.
        secondTurnCalls: (count) => expect(calls).toHaveLength(2 + count),
        detailHas: (words) => expect(JSON.stringify(ending)).toContain(words),
        calls: (count) => expect(calls).toHaveLength(count),
        reason: () =>
          expect(ending).toMatchObject({
            reason: expect.stringMatching(/configuration_error|provider_error/),
          }),
        nextPromptIsShorter: () => expect(calls[1]?.length ?? Infinity).toBeLessThan(calls[0]?.length ?? 0),
        spokeFor: (spokeFor) => expect(message?.metadata).toMatchObject({ spokeFor, finishReason: 'stop' }),
        waitsAtMostSeconds: (seconds) => {
          expect(failures[0]?.retryInMs).toBeTypeOf('number');
          expect(failures[0]?.retryInMs).toBeLessThanOrEqual(seconds * 1000);
        },
        goesOn: () => expect(spoken(log, 3)).toBeDefined(),
        circuit: (state) => expect(circuit).toBe(state),
        withinMs: () => expect(tookMs).toBeLessThan(60_000),
        note: () => {},
      };
      for (const [field, wanted] of Object.entries(right)) {
        const check = checks[field as keyof typeof checks] as ((wanted: unknown) => void) | undefined;
        if (!check) throw new Error(`nothing checks ${field}`);
        check(wanted);
      }
    },
  );

  it('G: too long: half of what was sent, again and again, and a message alone is shortened', async () => {
    const { id } = await startTalk(url, {
      agents: [
        { name: 'Ada', provider: 'local', model: HALVED },
        { name: 'Ben', provider: 'local', model: HALVED },
      ],
      openingMessage: 'Is tea better than coffee, and how would you know? '.repeat(24),
      contextMessages: 10,
      maxTurns: 4,
    });
    await (await watchSocket(url, id)).closed;
    const log = await readLog(url, id);
    expect([1, 2, 3, 4].map((turn) => spoken(log, turn)?.content.startsWith('Turn by turn'))).toEqual(
      Array.from({ length: 4 }, () => true),
    );
    const lengths = (calls.get(HALVED) ?? []).map((body) =>
      lengthOf((JSON.parse(body) as ChatBody).messages),
    );
    const shortened = lengths.flatMap((length, at) =>
      length > 900 ? [(lengths[at + 1] ?? length) / length] : [],
    );
    expect(Math.max(...shortened)).toBeLessThan(0.6);
    expect(Math.max(...lengths)).toBeGreaterThan(4_000);
  });
});
