import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

const OVERSCAN = 6;
const ESTIMATED_HEIGHT = 168;
/** So near to its end a reader wants to stay there. */
export const AT_END_PX = 48;

/** Frames that finding a place again may take, and for which it stays there. */
const RESTORED_IN_STEPS = 40;
const STANDS_AFTER = 4;

export interface Rows {
  items: readonly VirtualItem[];
  height: number;
  measure: (element: HTMLElement | null) => void;
  isAtEnd: boolean;
  toEnd: () => void;
  /** Brings a row into view. */
  toRow: (index: number, align: 'start' | 'center') => void;
  /** The row at an offset, and how far into it that is. */
  position: (offset: number) => { index: number; offset: number };
  /** Brings an offset within a row to the top, and says when it stands there. */
  restore: (index: number, offset: number, done: () => void) => void;
}

/**
 * The rows of a log that are worth having as nodes. It stays at the end while it is there; whoever has scrolled up
 * stays where they are, whatever grows.
 *
 * @param isWhole whether all of it is worth it
 */
export function useRows(
  scroller: { current: HTMLElement | null },
  count: number,
  isWhole: boolean,
  keyOf: (index: number) => string,
): Rows {
  const [, update] = useReducer((times: number) => times + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATED_HEIGHT,
    getItemKey: keyOf,
    overscan: isWhole ? count : OVERSCAN,
    anchorTo: 'end' as const,
    followOnAppend: true,
    scrollEndThreshold: AT_END_PX,
    paddingStart: 20,
    paddingEnd: 28,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => update(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  const isAtEnd = count === 0 || virtualizer.isAtEnd(AT_END_PX);
  return {
    items: virtualizer.getVirtualItems(),
    height: virtualizer.getTotalSize(),
    measure: virtualizer.measureElement,
    isAtEnd,
    toEnd: () => virtualizer.scrollToEnd(),
    toRow: (index, align) => virtualizer.scrollToIndex(index, { align }),
    position(offset) {
      const row = virtualizer.getVirtualItemForOffset(offset);
      return { index: row?.index ?? 0, offset: offset - (row?.start ?? 0) };
    },
    restore(index, offset, done) {
      // Each step shows rows that are measured only then, which moves what is behind them.
      let steps = RESTORED_IN_STEPS;
      let stood = 0;
      const step = (): void => {
        const start = virtualizer.measurementsCache[index]?.start;
        if (start === undefined) return done();
        const isThere = Math.abs((scroller.current?.scrollTop ?? 0) - start - offset) <= 1;
        stood = isThere ? stood + 1 : 0;
        if (!isThere) virtualizer.scrollToOffset(start + offset);
        steps -= 1;
        if (steps > 0 && stood < STANDS_AFTER) requestAnimationFrame(step);
        else done();
      };
      step();
    },
  };
}
