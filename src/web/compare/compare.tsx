import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { MessageArticle } from '../log/message.tsx';
import { NoteCard } from '../log/note.tsx';
import { OpenedSource } from '../log/sources.tsx';
import type { Entry } from '../talk/entries.ts';
import { speakerOf } from '../talk/roster.ts';
import { statusWords } from '../talk/status.ts';
import type { Talk } from '../talk/talk.ts';
import { ID, useTalk } from '../talk/use-talk.ts';
import { formatCompact, formatDollars } from '../text/format.ts';
import { texts } from '../text/texts.ts';

const MOST = 6;

/** Up to six talks beside each other, turn beside turn. */
export function CompareView() {
  const { query } = useLocation();
  const wanted = [...new Set((query.ids ?? '').split(',').filter((id) => ID.test(id)))];
  const ids = wanted.slice(0, MOST);
  const lastTurn = useSignal(0);
  useEffect(() => {
    document.title = texts.compare.title;
  }, []);
  return (
    <main class="compare-page" id="content">
      <h1>{texts.compare.title}</h1>
      {ids.length === 0 && <p class="hint">{texts.compare.hint}</p>}
      {wanted.length > MOST && <p class="hint">{texts.compare.tooMany}</p>}
      <div
        class="columns"
        style={{ gridTemplateRows: `auto repeat(${lastTurn.value + 1}, auto)`, '--columns': `${ids.length}` }}
      >
        {ids.map((id) => (
          <Column key={id} id={id} ids={ids} lastTurn={lastTurn} />
        ))}
      </div>
      <OpenedSource />
    </main>
  );
}

interface Beside {
  ids: readonly string[];
  /** Of all columns: as many rows there are. */
  lastTurn: Signal<number>;
}

function Column({ id, ids, lastTurn }: Beside & { id: string }) {
  const talk = useTalk(id);
  return talk ? <Followed talk={talk} ids={ids} lastTurn={lastTurn} /> : null;
}

function Followed({ talk, ids, lastTurn }: Beside & { talk: Talk }) {
  const heading = useId();
  const conversation = talk.conversation.value;
  const entries = talk.entries.value;
  const turns = byTurn(entries);
  const ownLast = turns.at(-1)?.turn ?? 0;
  useEffect(() => {
    lastTurn.value = Math.max(lastTurn.peek(), ownLast);
  }, [ownLast]);
  const rest = ids.filter((id) => id !== talk.id);
  return (
    <section class="column" aria-labelledby={heading}>
      <header>
        <h2 id={heading} dir="auto">
          <a href={`/c/${talk.id}`}>{conversation?.topic ?? texts.talk.loading}</a>
        </h2>
        <p class="facts">{statusWords(conversation, talk.connection.value, speakerOf(entries))}</p>
        {conversation && (
          <p class="facts">
            {texts.talk.tokens(formatCompact(conversation.usage.totalTokens))}
            {conversation.usage.costUsd !== null && ` · ${formatDollars(conversation.usage.costUsd)}`}
          </p>
        )}
        {ids.length > 1 && (
          <a
            class="quiet"
            href={`/compare?ids=${rest.join(',')}`}
            aria-label={texts.compare.remove(conversation?.topic ?? '')}
          >
            ×
          </a>
        )}
      </header>
      {turns.map(({ turn, entries: within }) => (
        // The row is the turn's, so that turns with one number stand beside each other.
        <div
          key={turn}
          class="cell"
          style={{ gridRow: `${turn + 2}` }}
          role="group"
          aria-label={texts.compare.turn(turn)}
        >
          {within.map((entry) => (
            <Part key={entry.key} entry={entry} talk={talk} />
          ))}
        </div>
      ))}
    </section>
  );
}

function Part({ entry, talk }: { entry: Entry; talk: Talk }) {
  const conversation = talk.conversation.value;
  if (entry.kind === 'note') return <NoteCard note={entry} conversation={conversation} />;
  return <MessageArticle entry={entry} conversation={conversation} />;
}

/** Entries under the number of the turn that they belong to: the last before them. */
function byTurn(entries: readonly Entry[]): { turn: number; entries: Entry[] }[] {
  const groups: { turn: number; entries: Entry[] }[] = [];
  let turn = 0;
  for (const entry of entries) {
    if (entry.kind === 'said') turn = Math.max(turn, entry.message.turn);
    if (entry.kind === 'speaking') turn = entry.turn;
    const last = groups.at(-1);
    if (last?.turn === turn) last.entries.push(entry);
    else groups.push({ turn, entries: [entry] });
  }
  return groups;
}
