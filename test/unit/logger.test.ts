import { describe, expect, it } from 'vitest';
import { createJournal } from '../../src/observability/journal.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMasker, Secret } from '../../src/security/secrets.ts';
import { HAPPENINGS } from '../fixtures/happenings.ts';

const VALUE = 'a-secret-"value"/1';

function logged(level: string, write: (logger: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  write(createLogger(level, createMasker([new Secret(VALUE)]), { write: (line) => lines.push(line) }));
  return { lines, objects: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('7: a log line', () => {
  it('is one JSON object with timestamp, level, logger and event', () => {
    const { lines, objects } = logged('info', (logger) =>
      logger.child({ logger: 'main' }).warn({ provider: 'claude', text: 'two\nlines' }, 'server.listening'),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
    expect(objects[0]).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'warn',
      logger: 'main',
      event: 'server.listening',
      provider: 'claude',
      text: 'two\nlines',
    });
  });

  it('is written from its level on', () => {
    const { objects } = logged('warn', (logger) => {
      logger.info({}, 'info');
      logger.warn({}, 'warn');
      logger.error({}, 'error');
    });
    expect(objects.map(({ event }) => event)).toEqual(['warn', 'error']);
  });

  it('masks a secret wherever it is: in an error, its headers, its cause, a URL, a name', () => {
    const cause = new Error(`refused ${VALUE}`);
    const error = Object.assign(
      new Error(`called https://x.org/?key=${encodeURIComponent(VALUE)}`, { cause }),
      {
        headers: { authorization: `Bearer ${VALUE}`, 'x-api-key': 'UNKNOWN-key-1' },
        request: JSON.stringify({ headers: { 'x-api-key': VALUE, other: 'UNKNOWN' } }),
      },
    );
    const { lines, objects } = logged('info', (logger) => {
      logger.child({ logger: 'x', [VALUE]: VALUE }).error({ error, secret: new Secret(VALUE) }, VALUE);
    });
    expect(lines.join('')).not.toMatch(/a-secret|UNKNOWN-key/);
    expect(objects[0]).toMatchObject({
      event: '[masked]',
      secret: '[masked]',
      error: {
        type: 'Error',
        message: expect.stringContaining('called https://x.org/'),
        stack: expect.any(String),
      },
    });
  });
});

describe('7: the journal', () => {
  it('says what happened, with provider, model, turn, tokens, latency and conversation_id', () => {
    const { objects } = logged('debug', (logger) => {
      const journal = createJournal(logger);
      for (const happening of HAPPENINGS) journal(happening);
    });
    const common = { logger: 'orchestrator', conversation_id: 'c-1' };
    const call = { ...common, provider: 'claude', model: 'm', turn: 3 };
    expect(objects).toMatchObject([
      { ...common, level: 'info', event: 'conversation.started', waited: 0.04 },
      { ...common, level: 'info', event: 'conversation.resumed', turn: 2 },
      { ...call, level: 'debug', event: 'attempt.started', attempt: 'a-1' },
      {
        ...call,
        level: 'warn',
        event: 'attempt.failed',
        error_type: 'rate_limited',
        latency: 1.5,
        retry_in: 2,
        status: 429,
      },
      { ...call, level: 'info', event: 'attempt.abandoned', why: 'drained' },
      { ...call, level: 'debug', event: 'attempt.succeeded', tokens: 120, latency: 0.25 },
      { ...common, level: 'warn', event: 'turn.fell_back', turn: 3, why: 'rate_limited' },
      { ...common, level: 'info', event: 'guard.found', found: [{ scanner: 'secrets', count: 2 }] },
      { ...common, level: 'debug', event: 'knowledge.looked_up', turn: 3, passages: 2, latency: 0.012 },
      { ...common, level: 'warn', event: 'knowledge.not_searched', turn: 3, degraded: true, latency: 10 },
      { ...common, level: 'debug', event: 'call.charged', provider: 'claude', model: 'm', tokens: 120 },
      { ...call, level: 'info', event: 'turn.taken', tokens: 120, latency: 0.25 },
      { ...common, level: 'info', event: 'conversation.nudged', kind: 'gratitude' },
      { ...common, level: 'info', event: 'conversation.paused', for: 'human', agent: 'Ada' },
      { ...common, level: 'info', event: 'conversation.unpaused', for: 'human', waited: 90 },
      { ...common, level: 'debug', event: 'speaker.chosen', agent: 'Ben', by: 'fallback', turn: 4 },
      { ...common, level: 'debug', event: 'ballot.cast', agent: 'Ben', valid: false },
      { ...common, level: 'info', event: 'outcome.reached', kind: 'vote.closed', decided: true },
      { ...common, level: 'info', event: 'turn.decided', turn: 4, decision: 'edit' },
      { ...common, level: 'info', event: 'conversation.ended', reason: 'user', detail: 'enough', by: 'user' },
    ]);
  });

  it('holds no text of a message', () => {
    const { lines } = logged('trace', (logger) => {
      const journal = createJournal(logger);
      for (const happening of HAPPENINGS) journal(happening);
    });
    expect(lines.join('')).not.toContain('what was said');
  });
});
