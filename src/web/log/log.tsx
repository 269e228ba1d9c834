import { Component } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Conversation } from '../../client/types.ts';
import { useShortcuts } from '../parts/shortcuts.tsx';
import type { Entry } from '../talk/entries.ts';
import type { Talk } from '../talk/talk.ts';
import { texts } from '../text/texts.ts';
import { useFind } from './find.tsx';
import { MessageArticle, type MessageHands } from './message.tsx';
import { NoteCard } from './note.tsx';
import type { ProposalHands } from './proposal.tsx';
import { useRows } from './use-rows.ts';

/** The messages and what happened between them. */
export function Log({ talk, hands }: { talk: Talk; hands: MessageHands & ProposalHands }) {
  const scroller = useRef<HTMLDivElement>(null);
  const entries = talk.entries.value;
  const conversation = talk.conversation.value;
  const isShort = useMemo(() => isReadAsAWhole(entries), [entries]);
  const isGrowing = entries.at(-1)?.kind === 'speaking';
  const keyOf = (index: number): string => entries[index]?.key ?? String(index);
  const rows = useRows(scroller, { count: entries.length, isWhole: isShort, isGrowing, keyOf });
  const find = useFind(scroller, entries, (index) => rows.toRow(index, 'center'));
  const unseen = useUnseen(entries.length, rows.isAtEnd());
  useKeptPlace(talk, rows, scroller);

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
            const grows = entry.kind === 'speaking';
            return (
              <div
                key={key}
                ref={grows ? rows.growing : rows.measure}
                data-index={index}
                class={grows ? 'row growing' : 'row'}
                style={{ transform: `translateY(${start}px)` }}
              >
                <Row entry={entry} conversation={conversation} hands={hands} />
              </div>
            );
          })}
        </div>
      </div>
      {!rows.isAtEnd() && (
        <button type="button" class="to-end" onClick={rows.toEnd}>
          {unseen > 0 ? texts.talk.newMessages(unseen) : texts.talk.toEnd} <span aria-hidden="true">↓</span>
        </button>
      )}
      <Announcer talk={talk} />
    </div>
  );
}

/** Short logs are there as a whole, for whatever reads pages. */
const WHOLE_UP_TO = { entries: 120, characters: 80_000 };

function isReadAsAWhole(entries: readonly Entry[]): boolean {
  if (entries.length > WHOLE_UP_TO.entries) return false;
  const characters = entries.reduce(
    (sum, entry) => sum + (entry.kind === 'said' ? entry.message.content.length : 0),
    0,
  );
  return characters <= WHOLE_UP_TO.characters;
}

interface RowProps {
  entry: Entry;
  conversation: Conversation | undefined;
  hands: MessageHands & ProposalHands;
}

/** While one message grows, the others stay as they are. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate({ entry, conversation, hands }: RowProps): boolean {
    const { props } = this;
    return entry !== props.entry || conversation !== props.conversation || hands !== props.hands;
  }

  override render({ entry, conversation, hands }: RowProps) {
    if (entry.kind === 'note') return <NoteCard note={entry} conversation={conversation} hands={hands} />;
    return <MessageArticle entry={entry} conversation={conversation} hands={hands} />;
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
  const said = talk.heard.value;
  useEffect(() => {
    if (said.length === 0) return undefined;
    setWords(said.map(({ sender, content }) => `${sender}: ${content}`).join('\n'));
    // It isn't there to be found a second time.
    const clearing = setTimeout(() => setWords(''), 1000);
    return () => clearTimeout(clearing);
  }, [said]);
  return (
    <div class="for-ears" aria-live="polite">
      {words}
    </div>
  );
}

/** Between scrolling and noting where, in milliseconds. */
const KEPT_BEHIND_MS = 400;

/** Where this tab was in a talk, for a reload and for coming back. */
function useKeptPlace(
  talk: Talk,
  rows: ReturnType<typeof useRows>,
  scroller: { current: HTMLElement | null },
): void {
  const latest = useRef(rows);
  latest.current = rows;
  const isRestored = useRef(false);
  const isLive = talk.isLive.value || talk.connection.value === 'ended';
  useLayoutEffect(() => {
    if (!isLive || isRestored.current) return;
    const done = (): void => {
      isRestored.current = true;
    };
    // A link may lead to a message; else it is where this tab was.
    const seq = Number(new URLSearchParams(location.search).get('seq') ?? Number.NaN);
    const kept = sessionStorage.getItem(keptAs(talk));
    const [key, offset] = kept?.split(' ') ?? [];
    const index = talk.entries.value.findIndex((entry) =>
      kept === null && seq > 0 ? entry.kind === 'said' && entry.message.seq === seq : entry.key === key,
    );
    if (index < 0) done();
    else requestAnimationFrame(() => latest.current.restore(index, Number(offset ?? 0), done));
  }, [isLive]);
  useEffect(() => {
    const log = scroller.current;
    let due: ReturnType<typeof setTimeout> | undefined;
    const keep = (): void => {
      if (due === undefined || !log) return;
      clearTimeout(due);
      due = undefined;
      const isAtEnd = latest.current.isAtEnd();
      const { index, offset } = isAtEnd ? { index: -1, offset: 0 } : latest.current.position(log.scrollTop);
      const key = talk.entries.peek()[index]?.key;
      if (key === undefined) sessionStorage.removeItem(keptAs(talk));
      else sessionStorage.setItem(keptAs(talk), `${key} ${Math.round(offset)}`);
    };
    // Once it stands, for asking where it is has the page laid out.
    const scrolled = (): void => {
      if (!isRestored.current) return;
      due ??= setTimeout(keep, KEPT_BEHIND_MS);
    };
    log?.addEventListener('scroll', scrolled, { passive: true });
    window.addEventListener('pagehide', keep);
    return () => {
      keep();
      log?.removeEventListener('scroll', scrolled);
      window.removeEventListener('pagehide', keep);
    };
  }, [talk]);
}

function keptAs({ id }: Talk): string {
  return `aic.place.${id}`;
}
