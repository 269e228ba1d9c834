import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markOf, markOfEntry } from '../../src/conversation/log/mark.ts';
import { BEGINNING, formatCursor, parseCursor } from '../../src/conversation/stream/cursor.ts';
import { AppError } from '../../src/errors.ts';
import { START } from '../fixtures/conversations.ts';
import { EVERY_EVENT } from '../fixtures/events.ts';

const id = fc.uuid({ version: 7 });
const seq = fc.integer({ min: 0, max: 1_000_000 });
/** None in a cursor of a release that had no marks. */
const mark = fc.option(fc.stringMatching(/^[\da-f]{8}$/), { nil: undefined });
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
      fc.property(id, seq, mark, fc.option(within, { nil: undefined }), (conversation, seq, mark, within) => {
        const text = formatCursor(conversation, seq, mark, within?.attempt, within?.offset);
        expect(parseCursor(text, conversation, seq)).toEqual({ seq, mark, within });
        expect(encodeURIComponent(text)).toBe(text);
      }),
    );
  });

  it('of another conversation, or beyond the end, is none', () => {
    fc.assert(
      fc.property(id, id, seq, mark, (conversation, other, position, mark) => {
        fc.pre(conversation.slice(-12) !== other.slice(-12));
        const text = formatCursor(conversation, position + 1, mark);
        expect(codeOf(() => parseCursor(text, other, position + 1))).toBe('invalid_cursor');
        expect(codeOf(() => parseCursor(text, conversation, position))).toBe('invalid_cursor');
      }),
    );
  });

  it('that was cut short or lengthened is none', () => {
    fc.assert(
      fc.property(
        id,
        seq,
        mark,
        within,
        fc.nat(),
        (conversation, position, mark, { attempt, offset }, at) => {
          const text = formatCursor(conversation, position, mark, attempt, offset);
          const cut = text.slice(0, at % text.length);
          expect(codeOf(() => parseCursor(cut, conversation, position))).toBe('invalid_cursor');
          expect(codeOf(() => parseCursor(`${text}0`, conversation, position))).toBe('invalid_cursor');
        },
      ),
    );
  });

  it('is nothing else, whatever is handed in', () => {
    fc.assert(
      fc.property(id, fc.string({ unit: 'binary' }), (conversation, text) => {
        expect(codeOf(() => parseCursor(text, conversation, 10))).toBe('invalid_cursor');
      }),
    );
    expect(BEGINNING).toEqual({ seq: 0, mark: undefined, within: undefined });
  });

  it('of a release that had no marks is read', () => {
    const conversation = '0190b0a0-0000-7000-8000-0123456789ab';
    expect(parseCursor('7.0123456789ab', conversation, 7)).toEqual({
      seq: 7,
      mark: undefined,
      within: undefined,
    });
    const within = { attempt: '00c0ffee', offset: 12 };
    const inside = parseCursor('7.00c0ffee.12.0123456789ab', conversation, 7);
    expect(inside).toEqual({ seq: 7, mark: undefined, within });
  });
});

describe('DESIGN 7: the mark of an event', () => {
  it('is the same of the event and of its text in the log', () => {
    for (const event of EVERY_EVENT) {
      const { type } = event;
      expect(markOfEntry({ type, json: JSON.stringify(event) })).toBe(markOf(event));
      expect(markOf(event)).toMatch(/^[\da-f]{8}$/);
    }
  });

  it('is another at another time, and of another type', () => {
    const at = (milliseconds: number) => START.getTime() + milliseconds;
    const marks = Array.from({ length: 5000 }, (_, index) =>
      markOf({ type: 'message', at: new Date(at(index)).toISOString() }),
    );
    expect(new Set(marks).size).toBe(marks.length);
    expect(markOf({ type: 'conversation.nudged', at: START.toISOString() })).not.toBe(marks[0]);
  });
});
