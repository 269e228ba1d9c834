import {
  elementScroll,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
  type VirtualizerOptions,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { type End, followEnd } from './end.ts';

const OVERSCAN = 6;
const ESTIMATED_HEIGHT = 168;
/** What stands behind the last row: log.css knows it as the padding of the row that grows. */
const PADDING_END = 28;
/** Of a row that grows: what it has at least, without the padding behind it. */
const GROWING_HEIGHT = 76;
/** So near to its end a reader wants to stay there. */
const AT_END_PX = 48;

/** Frames that finding a place again may take, and for which it stays there. */
const RESTORED_IN_STEPS = 40;
const STANDS_AFTER = 4;

export interface Rows {
  items: readonly VirtualItem[];
  height: number;
  measure: (element: HTMLElement | null) => void;
  /** In place of `measure` for the last row while it grows. */
  growing: (element: HTMLElement | null) => void;
  isAtEnd: () => boolean;
  toEnd: () => void;
  /** Brings a row into view. */
  toRow: (index: number, align: 'start' | 'center') => void;
  /** The row at an offset, and how far into it that is. */
  position: (offset: number) => { index: number; offset: number };
  /** Brings an offset within a row to the top, and says when it stands there. */
  restore: (index: number, offset: number, done: () => void) => void;
}

interface Shown {
  count: number;
  /** Whether all of it is worth having as nodes. */
  isWhole: boolean;
  /** Whether the last row grows. */
  isGrowing: boolean;
  keyOf: (index: number) => string;
}

type Log = Virtualizer<HTMLElement, HTMLElement>;

/**
 * The rows of a log that are worth having as nodes. It stays at the end while it is there; whoever has scrolled up
 * stays where they are, whatever grows.
 *
 * The row that grows reaches over the end of all others, and is measured when it has ended: to measure it at each
 * step costs more than to show it.
 */
export function useRows(scroller: { current: HTMLElement | null }, shown: Shown): Rows {
  const { count, isWhole, isGrowing, keyOf } = shown;
  const [, update] = useReducer((times: number) => times + 1, 0);
  const end = useRef<End>(undefined);
  const grown = useRef<{ key: string; element: HTMLElement | null }>(undefined);
  const rendered = useRef<{ items: readonly VirtualItem[]; height: number }>(undefined);
  const options: VirtualizerOptions<HTMLElement, HTMLElement> = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (isGrowing && index === count - 1 ? GROWING_HEIGHT : ESTIMATED_HEIGHT),
    getItemKey: keyOf,
    overscan: isWhole ? count : OVERSCAN,
    anchorTo: 'end' as const,
    followOnAppend: true,
    scrollEndThreshold: AT_END_PX,
    paddingStart: 20,
    paddingEnd: PADDING_END,
    observeElementRect,
    observeElementOffset(_virtualizer, tell) {
      const log = scroller.current;
      if (!log) return undefined;
      end.current = followEnd(log, AT_END_PX, tell, () => update(undefined));
      return end.current.stop;
    },
    scrollToFn: elementScroll,
    onChange(virtualizer) {
      const before = rendered.current;
      const isSame =
        before?.items === virtualizer.getVirtualItems() && before.height === virtualizer.getTotalSize();
      if (!isSame) update(undefined);
    },
  };
  const [virtualizer] = useState<Log>(() => new Virtualizer(options));
  const growingKey = isGrowing ? keyOf(count - 1) : undefined;
  if (grown.current && grown.current.key !== growingKey) {
    settle(virtualizer, grown.current);
    grown.current = undefined;
  }
  if (growingKey !== undefined) grown.current ??= { key: growingKey, element: null };
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  rendered.current = { items: virtualizer.getVirtualItems(), height: virtualizer.getTotalSize() };
  const growing = useMemo(
    () => (element: HTMLElement | null) => {
      if (grown.current && element) grown.current.element = element;
      end.current?.watch(element);
    },
    [],
  );
  return {
    ...rendered.current,
    measure: virtualizer.measureElement,
    growing,
    isAtEnd: () => count === 0 || (end.current?.isThere() ?? true),
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

/** Notes how high the row has become that no longer grows; nothing moves for it, since it stands there already. */
function settle(virtualizer: Log, { key, element }: { key: string; element: HTMLElement | null }): void {
  const { options } = virtualizer;
  const index = options.count - 1;
  if (!element?.isConnected || options.getItemKey(index) !== key) return;
  const { anchorTo } = options;
  options.anchorTo = 'start';
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = () => false;
  virtualizer.resizeItem(index, element.offsetHeight - PADDING_END);
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = undefined;
  options.anchorTo = anchorTo;
}
