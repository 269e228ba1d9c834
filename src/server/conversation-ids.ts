import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

export interface NewId {
  id: string;
  /** The time within the id. */
  createdAt: Date;
}

const RANDOM_BYTES = 16;
/** Random bytes are drawn for so many ids at once: each draw costs several times what an id does. */
const IDS_PER_DRAW = 256;

/**
 * A function that makes UUIDv7s, each greater than the one before, also within a millisecond and where the clock
 * was set back: https://www.rfc-editor.org/rfc/rfc9562#section-6.2, method 1.
 */
export function conversationIds(now: () => number = Date.now): () => NewId {
  const drawn = Buffer.alloc(RANDOM_BYTES * IDS_PER_DRAW);
  let used = drawn.length;
  let msecs = 0;
  let seq = 0;
  return () => {
    if (used === drawn.length) {
      randomFillSync(drawn);
      used = 0;
    }
    const random = drawn.subarray(used, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    const at = now();
    if (at > msecs) {
      msecs = at;
      // Of its 32 bits the highest is left free: room to count for however long the clock stands.
      seq = random.readUInt32BE() >>> 1;
    } else seq++;
    return { id: v7({ random, msecs, seq }), createdAt: new Date(msecs) };
  };
}
