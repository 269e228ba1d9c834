import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoopKind } from '../../src/conversation/log/events.ts';
import { type LoopState, loopIn, noLoops, observeReply } from '../../src/conversation/policies/loops.ts';
import { type Reply, readTranscripts, type Transcript } from '../fixtures/transcripts.ts';

const KINDS: readonly LoopKind[] = ['near_duplicates', 'alternation', 'gratitude'];
const DEFAULTS = { threshold: 0.85, consecutive: 2 };
/** Of how many replies behind its first one a loop may make use; two rounds where four agents take part. */
const patience = ({ agents }: Transcript): number => Math.max(6, 2 * agents.length);

const transcripts = readTranscripts();

function start({ topic, agents }: Pick<Transcript, 'topic' | 'agents'>): LoopState {
  return noLoops({ topic, names: agents });
}

function observeAll(state: LoopState, replies: readonly Reply[], settings = DEFAULTS): LoopState {
  return replies.reduce((loops, reply) => observeReply(loops, reply, settings), state);
}

/** The first loop that is seen, and behind which reply. */
function detect(transcript: Transcript, settings = DEFAULTS): { kind: LoopKind; at: number } | undefined {
  let loops = start(transcript);
  for (const [at, reply] of transcript.replies.entries()) {
    loops = observeReply(loops, reply, settings);
    const loop = loopIn(loops);
    if (loop) return { kind: loop.kind, at };
  }
  return undefined;
}

const verdicts = transcripts.map((transcript) => ({ transcript, found: detect(transcript) }));

function scores(kind: LoopKind) {
  const flagged = verdicts.filter(({ found }) => found?.kind === kind);
  const labelled = verdicts.filter(({ transcript }) => transcript.label === kind);
  const right = flagged.filter(({ transcript }) => transcript.label === kind);
  const delays = right.map(({ transcript, found }) => (found?.at ?? 0) - (transcript.loopsFrom ?? 0));
  return {
    labelled: labelled.length,
    flagged: flagged.length,
    precision: right.length / flagged.length,
    recall: right.length / labelled.length,
    'most replies until seen': Math.max(...delays),
  };
}

describe('the labelled transcripts', () => {
  const honest = transcripts.filter(({ label }) => label === 'honest');

  it('are as many and as long as they have to be', () => {
    expect(honest.length).toBeGreaterThanOrEqual(24);
    expect(transcripts.length).toBeGreaterThanOrEqual(48);
    expect(new Set(transcripts.map(({ id }) => id)).size).toBe(transcripts.length);
  });

  it.each(transcripts.map((transcript) => [transcript.id, transcript] as const))(
    'are sound: %s',
    (_, transcript) => {
      const { label, loopsFrom, agents, replies } = transcript;
      expect(replies.length).toBeGreaterThanOrEqual(8);
      expect(replies.length).toBeLessThanOrEqual(30);
      expect(loopsFrom === undefined).toBe(label === 'honest');
      expect(new Set(replies.map(({ agent }) => agents[agent]))).toEqual(new Set(agents));
    },
  );

  it.each(honest.map((transcript) => [transcript.id, transcript] as const))('go on: %s', (_, transcript) => {
    expect(detect(transcript)).toBeUndefined();
  });

  it.each(
    verdicts
      .filter(({ found }) => found)
      .map(({ transcript, found }) => [transcript.id, transcript, found] as const),
  )('are seen in time, but not before they loop: %s', (_, transcript, found) => {
    const { loopsFrom = Infinity } = transcript;
    expect(found?.at).toBeGreaterThanOrEqual(loopsFrom);
    expect(found?.at).toBeLessThanOrEqual(loopsFrom + patience(transcript));
  });

  it('give this precision and recall', () => {
    const table = Object.fromEntries(KINDS.map((kind) => [kind, scores(kind)]));
    console.table(table);
    expect(Object.values(table).every(({ recall }) => recall >= 0.9)).toBe(true);
    expect(Object.values(table).every(({ precision }) => precision >= 0.9)).toBe(true);
  });
});

const names = ['Ada', 'Ben', 'Cleo'];
const talk: fc.Arbitrary<Reply[]> = fc.array(
  fc.record({
    agent: fc.nat({ max: 2 }),
    content: fc.constantFrom(
      'Thank you, Ada!',
      'You too.',
      'Agreed, Cleo, splendidly argued.',
      'Yes.',
      'No.',
      'Bees dance in the dark, and nobody taught them how.',
      'Ants have no wings to speak of, and make no honey either.',
      'Ants have no wings to speak of, and they make no honey either.',
      '👋',
    ),
  }),
  { maxLength: 30 },
);

describe('the detector', () => {
  it('sees the same however often the fold was interrupted and written down', () => {
    fc.assert(
      fc.property(talk, fc.nat(), (replies, cut) => {
        const middle = cut % (replies.length + 1);
        const first = observeAll(start({ topic: 'bees', agents: names }), replies.slice(0, middle));
        const whole = observeAll(start({ topic: 'bees', agents: names }), replies);
        expect(observeAll(structuredClone(first), replies.slice(middle))).toEqual(whole);
      }),
    );
  });

  it('leaves the state that it goes on from as it was', () => {
    fc.assert(
      fc.property(talk, (replies) => {
        const loops = observeAll(start({ topic: 'bees', agents: names }), replies);
        const copy = structuredClone(loops);
        observeAll(loops, replies);
        expect(loops).toEqual(copy);
      }),
    );
  });

  it('does not care who is called what, or in which order the agents are listed', () => {
    fc.assert(
      fc.property(talk, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (replies, order) => {
        const fresh = ['Zoë', 'Claude 2', 'GPT-4o'];
        const renamed = replies.map(({ agent, content }) => ({
          agent: order.indexOf(agent),
          content: names.reduce((text, name, index) => text.replaceAll(name, fresh[index] ?? ''), content),
        }));
        const listed = order.map((agent) => fresh[agent] ?? '');
        const before = detect({ id: '', label: 'honest', topic: 'bees', agents: names, replies });
        expect(
          detect({ id: '', label: 'honest', topic: 'bees', agents: listed, replies: renamed }),
        ).toStrictEqual(before);
      }),
    );
  });

  it('sees as many repeats as the settings say', () => {
    const stuck = transcripts.find(({ id }) => id === 'refusal-on-repeat');
    if (!stuck) throw new Error('the transcript is gone');
    const seenAt = (consecutive: number) => detect(stuck, { threshold: 0.85, consecutive })?.at;
    expect([1, 2, 3, 5].map(seenAt)).toEqual([7, 9, 11, undefined]);
  });

  it('knows only the agents that it began with', () => {
    expect(() =>
      observeReply(start({ topic: '', agents: names }), { agent: 3, content: 'x' }, DEFAULTS),
    ).toThrow(RangeError);
  });
});
