import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Entry } from '../talk/entries.ts';
import { texts } from '../text/texts.ts';

/** Of what is marked at once. */
const MAX_MARKS = 2000;

/**
 * Finding in all of a talk, also where it is no node at this moment. Matches are marked without touching the text:
 * https://www.w3.org/TR/css-highlight-api-1/
 */
export function useFind(
  scroller: { current: HTMLElement | null },
  entries: readonly Entry[],
  show: (index: number) => void,
) {
  const [wanted, setWanted] = useState('');
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const needle = wanted.trim().toLowerCase();
  const matches = useMemo(
    () =>
      needle === ''
        ? []
        : entries.flatMap((entry, index) => (wordsOf(entry).toLowerCase().includes(needle) ? [index] : [])),
    [needle, entries],
  );
  const current = Math.min(at, Math.max(0, matches.length - 1));

  const go = (to: number): void => {
    if (matches.length === 0) return;
    const next = (to + matches.length) % matches.length;
    setAt(next);
    show(matches[next] ?? 0);
  };
  useEffect(() => {
    if (matches.length > 0) show(matches[current] ?? 0);
  }, [needle]);
  useMarks(scroller, needle);

  const field = (
    <search class="find">
      <input
        ref={input}
        type="search"
        aria-label={texts.talk.find}
        placeholder={texts.talk.find}
        value={wanted}
        onInput={({ currentTarget }) => {
          setWanted(currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') go(current + (event.shiftKey ? -1 : 1));
          else if (event.key === 'Escape') {
            setWanted('');
            event.currentTarget.blur();
          } else return;
          event.preventDefault();
        }}
      />
      {needle !== '' && (
        <>
          <span class="facts" aria-live="polite">
            {texts.talk.findCount(current + 1, matches.length)}
          </span>
          <button
            type="button"
            class="quiet"
            aria-label={texts.talk.findPrevious}
            onClick={() => go(current - 1)}
          >
            ↑
          </button>
          <button
            type="button"
            class="quiet"
            aria-label={texts.talk.findNext}
            onClick={() => go(current + 1)}
          >
            ↓
          </button>
        </>
      )}
    </search>
  );
  return { field, open: () => input.current?.focus() };
}

function wordsOf(entry: Entry): string {
  if (entry.kind === 'said') return entry.message.content;
  if (entry.kind === 'speaking') return entry.text.peek();
  return entry.event.type === 'conversation.nudged' ? entry.event.content : '';
}

/** Marks what is there, and again when that changes. */
function useMarks(scroller: { current: HTMLElement | null }, needle: string): void {
  useEffect(() => {
    const root = scroller.current;
    if (!root || needle === '' || !('highlights' in CSS)) return undefined;
    let due: number | undefined;
    const mark = (): void => {
      due = undefined;
      CSS.highlights.set('found', new Highlight(...rangesIn(root, needle)));
    };
    const observer = new MutationObserver(() => {
      due ??= requestAnimationFrame(mark);
    });
    observer.observe(root, { childList: true, subtree: true, characterData: true });
    mark();
    return () => {
      observer.disconnect();
      if (due !== undefined) cancelAnimationFrame(due);
      CSS.highlights.delete('found');
    };
  }, [needle]);
}

function rangesIn(root: HTMLElement, needle: string): Range[] {
  const ranges: Range[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node && ranges.length < MAX_MARKS; node = walker.nextNode()) {
    if (!node.parentElement?.closest('.body, .card')) continue;
    const text = (node.nodeValue ?? '').toLowerCase();
    for (let from = text.indexOf(needle); from >= 0; from = text.indexOf(needle, from + needle.length)) {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, Math.min(from + needle.length, node.nodeValue?.length ?? 0));
      ranges.push(range);
    }
  }
  return ranges;
}
