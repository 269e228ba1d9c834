import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEGINNING, formatCursor, parseCursor } from '../../src/conversation/stream/cursor.ts';
import { AppError } from '../../src/errors.ts';

const id = fc.uuid({ version: 7 });
const seq = fc.integer({ min: 0, max: 1_000_000 });
const within = fc.record({
  attempt: fc.stringMatching(/^[\w-]{1,64}$/),
  offset: fc.integer({ min: 0, max: 10_000_000 }),
});

function codeOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

describe('4.5: a cursor', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(id, seq, fc.option(within, { nil: undefined }), (conversation, position, inside) => {
        const text = formatCursor(conversation, position, inside?.attempt, inside?.offset);
        expect(parseCursor(text, conversation, position)).toEqual({ seq: position, within: inside });
        expect(encodeURIComponent(text)).toBe(text);
      }),
    );
  });

  it('of another conversation, or beyond the end, is none', () => {
    fc.assert(
      fc.property(id, id, seq, (conversation, other, position) => {
        fc.pre(conversation.slice(-12) !== other.slice(-12));
        const text = formatCursor(conversation, position + 1);
        expect(codeOf(() => parseCursor(text, other, position + 1))).toBe('invalid_cursor');
        expect(codeOf(() => parseCursor(text, conversation, position))).toBe('invalid_cursor');
      }),
    );
  });

  it('that was cut short or lengthened is none', () => {
    fc.assert(
      fc.property(id, seq, within, fc.nat(), (conversation, position, { attempt, offset }, at) => {
        const text = formatCursor(conversation, position, attempt, offset);
        const cut = text.slice(0, at % text.length);
        expect(codeOf(() => parseCursor(cut, conversation, position))).toBe('invalid_cursor');
        expect(codeOf(() => parseCursor(`${text}0`, conversation, position))).toBe('invalid_cursor');
      }),
    );
  });

  it('is nothing else, whatever is handed in', () => {
    fc.assert(
      fc.property(id, fc.string({ unit: 'binary' }), (conversation, text) => {
        expect(codeOf(() => parseCursor(text, conversation, 10))).toBe('invalid_cursor');
      }),
    );
    expect(BEGINNING).toEqual({ seq: 0, within: undefined });
  });
});
