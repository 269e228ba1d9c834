/** Where an event ends: a blank line, however lines end. */
const END = /\r?\n\r?\n|\r\r/g;
/** The most of a body that is no stream that is read, in bytes. */
const MOST_WHOLE = 8 * 1024 * 1024;

/** What a body turned out to be: events, or one JSON value. */
export type Body =
  | { kind: 'events'; bytes: AsyncGenerator<Uint8Array> }
  | { kind: 'whole'; json: unknown; text: string };

/**
 * Looks at the first bytes of a body: servers that don't stream, or that refuse with status 200, send JSON, under any
 * content type. Of events those alone pass whose data is JSON, or the mark of the end: some send empty ones, and
 * comments in the place of data.
 */
export async function bodyOf(bytes: AsyncGenerator<Uint8Array>): Promise<Body> {
  const first: Uint8Array[] = [];
  for (;;) {
    const next = await bytes.next();
    if (!next.done) first.push(next.value);
    const start = Buffer.concat(first)
      .toString('latin1')
      .replace(/^\u00EF\u00BB\u00BF/, '')
      .trimStart();
    if (start === '' && !next.done) continue;
    if (/^[{[]/.test(start)) return await wholeOf(first, bytes);
    return { kind: 'events', bytes: usable(first, bytes) };
  }
}

async function wholeOf(first: Uint8Array[], bytes: AsyncGenerator<Uint8Array>): Promise<Body> {
  let length = first.reduce((sum, piece) => sum + piece.length, 0);
  for await (const piece of bytes) {
    first.push(piece);
    length += piece.length;
    if (length > MOST_WHOLE)
      throw new SyntaxError(`the answer is one value of more than ${MOST_WHOLE} bytes`);
  }
  const text = Buffer.concat(first).toString('utf8').trim();
  return { kind: 'whole', json: JSON.parse(text), text };
}

async function* usable(
  first: readonly Uint8Array[],
  bytes: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    let held: Buffer = Buffer.alloc(0);
    for await (const piece of following(first, bytes)) {
      const all = held.length === 0 ? Buffer.from(piece) : Buffer.concat([held, piece]);
      const text = all.toString('latin1');
      let end = 0;
      const kept: Buffer[] = [];
      for (const { index, 0: blank } of text.matchAll(END)) {
        const next = index + blank.length;
        if (isUsable(text.slice(end, index))) kept.push(all.subarray(end, next));
        end = next;
      }
      held = all.subarray(end);
      if (kept.length > 0) yield kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept);
    }
    if (isUsable(held.toString('latin1'))) yield held;
  } finally {
    await bytes.return(undefined);
  }
}

async function* following(
  first: readonly Uint8Array[],
  bytes: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* bytes;
}

/** Its data begins as JSON does, or is the mark of the end. */
function isUsable(event: string): boolean {
  return /(?:^|[\r\n])data: ?\s*(?:[{[]|"|\[DONE\])/.test(event);
}
