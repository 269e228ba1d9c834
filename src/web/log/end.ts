/** Whether a reader is at the end of what scrolls, and keeps them there while its last part grows. */
export interface End {
  isThere: () => boolean;
  /** Follows what grows; undefined or null: nothing does. */
  watch: (element: HTMLElement | null) => void;
  stop: () => void;
}

/** Past all that a browser scrolls, so that it stops at the end without being asked where that is. */
const PAST_ALL = 1e8;
const SCROLLING_MS = 150;

/**
 * @param within so many pixels before its end one is there
 * @param tell told of where it is scrolled to, and whether somebody scrolls
 * @param changed told when a reader has left the end, or has come there
 */
export function followEnd(
  log: HTMLElement,
  within: number,
  tell: (offset: number, isScrolling: boolean) => void,
  changed: () => void,
): End {
  let isThere = true;
  let top = 0;
  /** Whether the next event is of following, and not of somebody's scrolling. */
  let isOwn = false;
  let resting: ReturnType<typeof setTimeout> | undefined;
  const growth = new ResizeObserver(() => {
    if (!isThere) return;
    // What grows has just been laid out, so that this asks for no layout.
    log.scrollTop = PAST_ALL;
    // Where nothing moves there is no event.
    isOwn = log.scrollTop !== top;
  });
  const scrolled = (): void => {
    const before = top;
    top = log.scrollTop;
    const wasThere = isThere;
    const isNear = log.scrollHeight - log.clientHeight - top < within;
    // What grows makes the end go away from the reader; only going up is leaving it.
    if (isNear) isThere = true;
    else if (top < before - 1 && !isOwn) isThere = false;
    tell(top, !isOwn);
    if (!isOwn) {
      clearTimeout(resting);
      resting = setTimeout(() => tell(log.scrollTop, false), SCROLLING_MS);
    }
    isOwn = false;
    if (isThere !== wasThere) changed();
  };
  log.addEventListener('scroll', scrolled, { passive: true });
  return {
    isThere: () => isThere,
    watch(element) {
      growth.disconnect();
      if (element) growth.observe(element);
    },
    stop() {
      clearTimeout(resting);
      growth.disconnect();
      log.removeEventListener('scroll', scrolled);
    },
  };
}
