import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

/** Shorter logs are there as a whole, for whatever reads pages. */
const WHOLE_UP_TO = 120;
const OVERSCAN = 6;
const ESTIMATED_HEIGHT = 168;
/** So near to its end a reader wants to stay there. */
const AT_END_PX = 48;

export interface Rows {
  items: readonly VirtualItem[];
  height: number;
  measure: (element: HTMLElement | null) => void;
  isAtEnd: boolean;
  toEnd: () => void;
  /** Brings a row into view. */
  toRow: (index: number, align: 'start' | 'center') => void;
  /** The row at the top of what is seen, and how far above it begins. */
  position: () => { index: number; offset: number };
  restore: (index: number, offset: number) => void;
}

/**
 * The rows of a log that are worth having as nodes. It stays at the end while it is there; whoever has scrolled up
 * stays where they are, whatever grows.
 */
export function useRows(
  scroller: { current: HTMLElement | null },
  count: number,
  keyOf: (index: number) => string,
): Rows {
  const [, update] = useReducer((times: number) => times + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATED_HEIGHT,
    getItemKey: keyOf,
    overscan: count <= WHOLE_UP_TO ? WHOLE_UP_TO : OVERSCAN,
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
    position() {
      const offset = virtualizer.scrollOffset ?? 0;
      const first = virtualizer.getVirtualItemForOffset(offset);
      return { index: first?.index ?? 0, offset: offset - (first?.start ?? 0) };
    },
    restore(index, offset) {
      virtualizer.scrollToIndex(index, { align: 'start' });
      const found = virtualizer.getOffsetForIndex(index, 'start');
      if (found) virtualizer.scrollToOffset(found[0] + offset);
    },
  };
}
