import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useShortcuts } from '../parts/shortcuts.tsx';
import type { Entry } from '../talk/entries.ts';
import type { Talk } from '../talk/talk.ts';
import { texts } from '../text/texts.ts';
import { useFind } from './find.tsx';
import { MessageArticle, type MessageHands, SpeakingArticle } from './message.tsx';
import { NoteCard } from './note.tsx';
import type { ProposalHands } from './proposal.tsx';
import { useRows } from './use-rows.ts';

/** The messages and what happened between them. */
export function Log({ talk, hands }: { talk: Talk; hands: MessageHands & ProposalHands }) {
  const scroller = useRef<HTMLDivElement>(null);
  const entries = talk.entries.value;
  const conversation = talk.conversation.value;
  const rows = useRows(scroller, entries.length, (index) => entries[index]?.key ?? String(index));
  const find = useFind(scroller, entries, (index) => rows.toRow(index, 'center'));
  const unseen = useUnseen(entries.length, rows.isAtEnd);
  useKeptPlace(talk, rows);

  const step = (by: number): void => {
    const articles = [...(scroller.current?.querySelectorAll<HTMLElement>('article') ?? [])];
    const top = scroller.current?.getBoundingClientRect().top ?? 0;
    const focused = articles.findIndex((article) => article.contains(document.activeElement));
    const at =
      focused >= 0
        ? focused + by
        : articles.findIndex((article) => article.getBoundingClientRect().bottom > top);
    articles[Math.max(0, Math.min(articles.length - 1, at))]?.focus();
  };
  const focusedSeq = (): number | undefined => {
    const seq = document.activeElement?.closest<HTMLElement>('article[data-seq]')?.dataset['seq'];
    return seq === undefined ? undefined : Number(seq);
  };
  const onFocused = (act: (seq: number) => void) => () => {
    const seq = focusedSeq();
    if (seq !== undefined) act(seq);
  };
  useShortcuts({
    j: () => step(1),
    k: () => step(-1),
    f: onFocused(hands.fork),
    a: onFocused(hands.again),
    r: onFocused(hands.retract),
    '/': find.open,
    End: rows.toEnd,
  });

  return (
    <div class="log-frame">
      {find.field}
      {/* Each token would be read out; what is whole is said by the announcer. */}
      <div
        ref={scroller}
        class="log"
        role="log"
        aria-label={texts.talk.messages}
        aria-live="off"
        tabIndex={0}
        id="content"
      >
        <div class="rows" style={{ blockSize: `${rows.height}px` }}>
          {rows.items.map(({ index, key, start }) => {
            const entry = entries[index];
            if (!entry) return null;
            return (
              <div
                key={key}
                ref={rows.measure}
                data-index={index}
                class="row"
                style={{ transform: `translateY(${start}px)` }}
              >
                <Row entry={entry} talk={talk} conversation={conversation} hands={hands} />
              </div>
            );
          })}
        </div>
      </div>
      {!rows.isAtEnd && (
        <button type="button" class="to-end" onClick={rows.toEnd}>
          {unseen > 0 ? texts.talk.newMessages(unseen) : texts.talk.toEnd} <span aria-hidden="true">↓</span>
        </button>
      )}
      <Announcer talk={talk} />
    </div>
  );
}

function Row({
  entry,
  conversation,
  hands,
}: {
  entry: Entry;
  talk: Talk;
  conversation: Talk['conversation']['value'];
  hands: MessageHands & ProposalHands;
}) {
  switch (entry.kind) {
    case 'said':
      return <MessageArticle entry={entry} conversation={conversation} hands={hands} />;
    case 'speaking':
      return <SpeakingArticle entry={entry} conversation={conversation} />;
    default:
      return <NoteCard note={entry} conversation={conversation} hands={hands} />;
  }
}

/** How many entries came since the reader left the end. */
function useUnseen(count: number, isAtEnd: boolean): number {
  const [seen, setSeen] = useState(count);
  useEffect(() => {
    if (isAtEnd) setSeen(count);
  }, [isAtEnd, count]);
  return Math.max(0, count - seen);
}

/** Says each message once, when it is whole, to whoever listens. */
function Announcer({ talk }: { talk: Talk }) {
  const [words, setWords] = useState('');
  const frame = talk.heard.value;
  useEffect(() => {
    if (frame?.type !== 'message') return undefined;
    setWords(`${frame.message.sender}: ${frame.message.content}`);
    // It isn't there to be found a second time.
    const clearing = setTimeout(() => setWords(''), 1000);
    return () => clearTimeout(clearing);
  }, [frame]);
  return (
    <div class="for-ears" aria-live="polite">
      {words}
    </div>
  );
}

/** Where this tab was in a talk, for a reload and for coming back. */
function useKeptPlace(talk: Talk, rows: ReturnType<typeof useRows>): void {
  const latest = useRef(rows);
  latest.current = rows;
  const isRestored = useRef(false);
  const keptAs = `aic.place.${talk.id}`;
  const isLive = talk.isLive.value || talk.connection.value === 'ended';
  useLayoutEffect(() => {
    if (!isLive || isRestored.current) return;
    isRestored.current = true;
    const kept = sessionStorage.getItem(keptAs);
    const [key, offset] = kept?.split(' ') ?? [];
    const index = talk.entries.value.findIndex((entry) => entry.key === key);
    if (index >= 0) requestAnimationFrame(() => latest.current.restore(index, Number(offset)));
  }, [isLive]);
  useEffect(() => {
    const keep = (): void => {
      if (!isRestored.current) return;
      const { isAtEnd, position } = latest.current;
      const { index, offset } = position();
      const key = talk.entries.peek()[index]?.key;
      if (isAtEnd || key === undefined) sessionStorage.removeItem(keptAs);
      else sessionStorage.setItem(keptAs, `${key} ${Math.round(offset)}`);
    };
    window.addEventListener('pagehide', keep);
    return () => {
      window.removeEventListener('pagehide', keep);
      keep();
    };
  }, [talk]);
}
