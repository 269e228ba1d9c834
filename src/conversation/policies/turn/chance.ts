/**
 * A number from 0 up to 1, the same for the same seed and number wherever and whenever it is asked for: FNV-1a
 * (http://www.isthe.com/chongo/tech/comp/fnv/) over both, mixed by the finaliser of MurmurHash3
 * (https://github.com/aappleby/smhasher, public domain), for FNV's last characters barely reach its high bits.
 */
export function chanceOf(seed: string, number: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed}\n${number}`)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) / 0x1_0000_0000;
}
