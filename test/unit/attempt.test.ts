import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Guard } from '../../src/conversation/stages/guard.ts';
import type { AttemptUnderWay } from '../../src/conversation/stream/frames.ts';
import { type Answer, makeAttempt, type Telling } from '../../src/conversation/turn/attempt.ts';
import type { AttemptCall } from '../../src/conversation/turn/lane.ts';
import type { ModelBinding } from '../../src/conversation/turn/model-binding.ts';
import { type GenerateRequest, type Provider, ProviderError } from '../../src/conversation/turn/provider.ts';
import { newProgress, type Progress, spendingOf } from '../../src/conversation/turn/spending.ts';
import { LocalLive } from '../../src/live/local.ts';
import { DIRECT_LANE } from '../../src/protection/direct.ts';
import { createSanitiser } from '../../src/security/sanitise.ts';
import { type Act, finish, ScriptedProvider, text } from '../fixtures/providers.ts';

const ID = '01900000-0000-7000-8000-0123456789ab';
const REQUEST: GenerateRequest = {
  agent: 'Ada',
  topic: 'Bees',
  model: 'm',
  system: 'x'.repeat(40),
  messages: [{ role: 'user', content: 'y'.repeat(21) }],
  temperature: 0.7,
  maxOutputTokens: 100,
  seed: 's',
};

async function play(
  script: readonly Act[],
  options: { limit?: number; signal?: AbortSignal; isHeldBack?: boolean; guard?: Guard } = {},
): Promise<{ answer: Answer; deltas: string[]; provider: ScriptedProvider; attempt: AttemptUnderWay }> {
  const provider = new ScriptedProvider(() => script);
  const live = new LocalLive();
  const deltas: string[] = [];
  void live.follow(ID, (item) => {
    if (typeof item === 'string' || 'underWay' in item || item.type !== 'turn.delta') return;
    deltas.push((JSON.parse(item.json) as { text: string }).text);
  });
  const attempt: AttemptUnderWay = {
    id: 'a-1',
    turn: 1,
    agent: 'Ada',
    provider: 'claude',
    model: 'm',
    afterSeq: 2,
    afterMark: undefined,
    text: '',
  };
  live.started(ID, attempt);
  let milliseconds = 0;
  const parts = {
    live,
    createSanitiser,
    elapsed: () => (milliseconds += 100.4),
    maxMessageLength: options.limit ?? 1000,
  };
  const signal = options.signal ?? new AbortController().signal;
  const how: Telling = {
    progress: newProgress(),
    shown: options.isHeldBack ? 'hidden' : 'as it comes',
    guard: options.guard,
  };
  const answer = await makeAttempt(parts, ID, attempt, played(provider), REQUEST, callOf(signal), how);
  return { answer, deltas, provider, attempt };
}

function played(provider: Provider): ModelBinding {
  return { provider, lane: DIRECT_LANE, price: undefined };
}

function callOf(signal: AbortSignal): AttemptCall {
  return { signal, firstToken: () => {} };
}

describe('an attempt', () => {
  it('becomes an answer with what is known of it', async () => {
    const { answer } = await play([text('Hello '), text('there'), finish()]);
    expect(answer).toEqual({
      content: 'Hello there',
      metadata: {
        provider: 'claude',
        model: 'm',
        inputTokens: 10,
        outputTokens: 5,
        latencyMs: 201,
        timeToFirstTokenMs: 100,
        attempt: 'a-1',
        finishReason: 'stop',
      },
    });
  });

  it.each<[string, readonly Act[], string]>([
    ['is empty', [finish()], 'empty'],
    ['is white space', [text(' \n'), text('\t'), finish()], 'empty'],
    ['is control characters', [text('\u0007\u001b'), finish()], 'empty'],
    ['was cut off before the first word', [], 'network'],
    ['was cut off', [text('Hel')], 'network'],
    ['failed', [text('Hel'), new ProviderError('rate_limited', 'slow down')], 'rate_limited'],
  ])('2.4: is no message where the answer %s', async (_, script, code) => {
    await expect(play(script)).rejects.toMatchObject({ name: 'ProviderError', code });
  });

  it.each<[string, Parameters<typeof finish>[0]]>([
    ['sent none', { usage: undefined }],
    ['sent a fraction', { usage: { inputTokens: 1.5, outputTokens: 1 } }],
    ['sent less than nothing', { usage: { inputTokens: 1, outputTokens: -1 } }],
    ['sent no number', { usage: { inputTokens: Number.NaN, outputTokens: 1 } }],
  ])('estimates the tokens where the vendor %s', async (_, end) => {
    const { answer } = await play([text('12345'), finish(end)]);
    expect(answer.metadata).toMatchObject({ inputTokens: 16, outputTokens: 2, usageEstimated: true });
  });

  it.each<[string, number, string[], string, string]>([
    ['fits exactly', 5, ['Hel', 'lo'], 'Hello', 'stop'],
    ['is one too long', 4, ['Hel', 'lo'], 'Hell', 'length'],
    ['is too long at once', 3, ['Hello'], 'Hel', 'length'],
    ['goes on behind the limit', 5, ['Hello', ' and so on', 'for ever'], 'Hello', 'length'],
    ['is all code points of two units', 3, ['🙂🙂', '🙂'], '🙂🙂🙂', 'stop'],
    ['would be cut inside a code point', 3, ['🙂🙂', 'a🙂'], '🙂🙂a', 'length'],
    ['comes in halves of code points', 3, ['🙂\ud83d', '\ude42\ud83d', '\ude42🙂'], '🙂🙂🙂', 'length'],
  ])('is cut at the limit of code points: %s', async (_, limit, pieces, content, finishReason) => {
    const { answer, deltas, provider } = await play([...pieces.map(text), finish()], { limit });
    expect(answer).toMatchObject({ content, metadata: { finishReason } });
    expect(deltas.join('')).toBe(content);
    expect(provider.open).toBe(0);
  });

  it('stops the call as soon as the limit is passed, whatever was still to come', async () => {
    const { answer, provider } = await play([text('Hello there'), 'wait'], { limit: 5 });
    expect(answer.metadata).toMatchObject({ finishReason: 'length', usageEstimated: true });
    expect(provider.open).toBe(0);
  });

  it.each<[string, readonly Act[]]>([
    ['while it waits', [text('Hel'), 'wait']],
    ['as it fails', [text('Hel'), 'wait', new ProviderError('network', 'reset')]],
  ])("ends with the signal's reason when it is aborted %s", async (_, script) => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const playing = play(script, { signal: controller.signal });
    await vi.waitFor(() => expect(script).toBeDefined());
    controller.abort(reason);
    await expect(playing).rejects.toBe(reason);
  });

  it.each([
    ['takes no notice', [text('Hello'), finish()]],
    ['ends quietly', []],
  ])('is void when it is aborted, though the provider %s', async (_, script) => {
    const stubborn = {
      async *generate() {
        yield* script;
      },
    };
    const attempt = {
      id: 'a',
      turn: 1,
      agent: 'Ada',
      provider: 'p',
      model: 'm',
      afterSeq: 2,
      afterMark: undefined,
      text: '',
    };
    const parts = { live: new LocalLive(), createSanitiser, elapsed: () => 0, maxMessageLength: 100 };
    const signal = AbortSignal.abort(new Error('enough'));
    const how: Telling = { progress: newProgress(), shown: 'as it comes', guard: undefined };
    await expect(
      makeAttempt(parts, ID, attempt, played(stubborn), REQUEST, callOf(signal), how),
    ).rejects.toThrow('enough');
  });

  it('10.4: shows nothing of what is held back, neither as it is said nor to who comes in between', async () => {
    const { answer, deltas, attempt } = await play([text('Hello '), text('there'), finish()], {
      isHeldBack: true,
    });
    expect(answer.content).toBe('Hello there');
    expect([deltas, attempt.text]).toEqual([[], '']);
  });

  it.each<[string, Progress, object | undefined]>([
    ['nothing came', { text: '', unsaid: 0, isFinished: false, usage: undefined }, undefined],
    [
      'text came without a word of what it took',
      { text: '12345678', unsaid: 0, isFinished: false, usage: undefined },
      { inputTokens: 1, outputTokens: 2, costUsd: 5e-6, estimated: true },
    ],
    [
      'the vendor said what it took',
      { text: '', unsaid: 0, isFinished: true, usage: { inputTokens: 100, outputTokens: 0 } },
      { inputTokens: 100, outputTokens: 0, costUsd: 1e-4, estimated: false },
    ],
  ])('2.2: took, where %s', (_, progress, spent) => {
    const request = { ...REQUEST, system: '1234', messages: [] };
    expect(spendingOf(progress, request, { input: 1, output: 2 })).toEqual(spent);
    const unpriced = spendingOf(progress, request, undefined);
    expect(unpriced?.costUsd).toBe(spent === undefined ? undefined : null);
  });

  it('keeps the line break that its last piece ends with', async () => {
    const { answer, deltas } = await play([text('Hello\r'), finish()]);
    expect(answer.content).toBe('Hello\n');
    expect(deltas).toEqual(['Hello', '\n']);
  });

  it('4.3: joins to its message from the deltas, none of which splits a code point', async () => {
    const units = fc.array(
      fc.constantFrom('a', ' ', '\r', '\n', '\u0000', '\ud83d', '\ude42', '🙂', '\u202e', 'é'),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    const pieces = fc.array(
      units.map((list) => list.join('')),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 12 }), async (all, limit) => {
        const { answer, deltas } = await play([text('x'), ...all.map(text), finish()], { limit });
        expect(deltas.join('')).toBe(answer.content);
        expect(deltas.every((delta) => delta !== '' && delta.isWellFormed())).toBe(true);
        expect(Array.from(answer.content).length).toBeLessThanOrEqual(limit);
      }),
    );
  });
});
