import { expect, it } from 'vitest';
import { ofOneLength } from '../../src/knowledge/one-length.ts';

const { signal } = new AbortController();

/** An embedder that gives vectors of one length after the other. */
function giving(lengths: number[], kept: () => number | undefined) {
  const embed = async (texts: readonly string[]) => {
    const length = lengths.shift() ?? 0;
    return texts.map(() => new Float32Array(length));
  };
  const embedder = ofOneLength({ name: 'a model', embed }, async () => kept());
  return () => embedder.embed(['a', 'b'], 'passages', signal).then(([vector]) => vector?.length);
}

it('11.2: vectors of another length than those that are kept are refused, and say what to do', async () => {
  let kept: number | undefined;
  const embed = giving([3, 4, 4, 3, 4], () => kept);
  // Nothing is kept so far, and then still nothing.
  expect([await embed(), await embed()]).toEqual([3, 4]);
  kept = 4;
  expect(await embed()).toBe(4);
  await expect(embed()).rejects.toThrow(
    /of 3 numbers, and those that are kept have 4: EMBEDDINGS_DIMENSIONS/,
  );
  expect(await embed()).toBe(4);
});

it('11.2: another length is taken when all that were kept are gone', async () => {
  let kept: number | undefined = 4;
  const embed = giving([4, 3, 3], () => kept);
  expect(await embed()).toBe(4);
  kept = undefined;
  expect([await embed(), await embed()]).toEqual([3, 3]);
});
