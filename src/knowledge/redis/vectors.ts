import { createHash } from 'node:crypto';
import type { Embedder } from '../../conversation/knowledge/embedder.ts';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import { ofOneLength } from '../one-length.ts';

/** Vectors that nobody has asked for so long are forgotten, in seconds: every instance has them by then. */
const KEPT_SECONDS = 7 * 24 * 3600;

/** An embedder whose vectors of passages all instances share: what one has had made, the others read. */
export function sharedEmbedder(embedder: Embedder, client: RedisClient, prefix: string): Embedder {
  const keyOf = (text: string): string =>
    `${prefix}:vector:${createHash('sha256').update(`${embedder.name}\n${text}`).digest('base64url')}`;
  const lengthKey = `${prefix}:vector-length:${createHash('sha256').update(embedder.name).digest('base64url')}`;
  // What one length is for all instances: what was made is handed to all of them.
  const fresh = ofOneLength(embedder, async () => Number(await answered(client.get(lengthKey))) || undefined);
  return {
    name: embedder.name,
    async embed(texts, what, signal) {
      if (what === 'question') return await fresh.embed(texts, what, signal);
      const keys = texts.map(keyOf);
      // One by one, since they lie on all nodes of a cluster.
      const known = await answered(Promise.all(keys.map((key) => client.getBuffer(key))));
      const missing = texts.filter((_, index) => !known[index]);
      const made = missing.length > 0 ? await fresh.embed(missing, what, signal) : [];
      const [first] = made;
      if (first) await answered(client.set(lengthKey, first.length, 'EX', KEPT_SECONDS, 'NX'));
      const byText = new Map(missing.map((text, index) => [text, made[index]]));
      return await Promise.all(
        texts.map(async (text, index) => {
          const bytes = known[index];
          if (bytes) return vectorOf(bytes);
          const vector = byText.get(text) ?? new Float32Array();
          const value = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
          await answered(client.set(keys[index] ?? '', value, 'EX', KEPT_SECONDS));
          return vector;
        }),
      );
    },
  };
}

function vectorOf(bytes: Buffer): Float32Array {
  // Within Node's pool it may begin anywhere.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
