import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ProblemError } from '../../client/failures.ts';
import type { DocumentWithText, Message } from '../../client/types.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ask, wordsFor } from '../server.ts';
import { formatShare } from '../text/format.ts';
import { isHarmless } from '../text/markdown.tsx';
import { texts } from '../text/texts.ts';

type Source = NonNullable<Message['metadata']['sources']>[number];

/** What is shown before and behind a passage, in UTF-16 units. */
const AROUND = 600;

/** The one that is open. It stays so also when its message is drawn anew, or scrolled out of sight. */
const opened = signal<Source | undefined>(undefined);

/** What a reply went by, each to be opened at its passage. */
export function Sources({ sources }: { sources: readonly Source[] }) {
  if (sources.length === 0) return <span class="facts">{texts.talk.noSources}</span>;
  return (
    <details class="sources">
      <summary>
        {texts.talk.sources} ({sources.length})
      </summary>
      <ol>
        {sources.map((source) => (
          <li key={source.n} value={source.n} class={source.cited ? 'cited' : ''}>
            <button
              type="button"
              class="link"
              dir="auto"
              onClick={() => {
                opened.value = source;
              }}
            >
              {texts.talk.passage(source.title, source.passage)}
            </button>{' '}
            <span class="facts">
              {source.collection} · {texts.talk.likeness(formatShare(source.score))}
              {source.cited && ` · ${texts.talk.cited}`}
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** The source that was asked for, if any. */
export function OpenedSource() {
  const source = opened.value;
  const close = () => {
    opened.value = undefined;
  };
  // Whoever leaves the view has closed it.
  useEffect(() => close, []);
  return source && <Opened source={source} onClose={close} />;
}

function Opened({ source, onClose }: { source: Source; onClose: () => void }) {
  const { collection, documentId, title, passage, from, to } = source;
  const [found, setFound] = useState<DocumentWithText | string>(texts.talk.loading);
  const mark = useRef<HTMLElement>(null);
  useEffect(() => {
    ask((client) => client.getDocument(collection, documentId)).then(setFound, (error: unknown) =>
      setFound(
        error instanceof ProblemError && error.status === 404 ? texts.talk.sourceGone : wordsFor(error),
      ),
    );
  }, []);
  useEffect(() => mark.current?.scrollIntoView({ block: 'center' }), [found]);
  return (
    <Dialog title={texts.talk.passage(title, passage)} onClose={onClose}>
      {typeof found === 'string' ? (
        <p role="alert">{found}</p>
      ) : (
        <blockquote class="passage" dir="auto" tabIndex={0}>
          {found.text.slice(Math.max(0, from - AROUND), from)}
          <mark ref={mark}>{found.text.slice(from, to)}</mark>
          {found.text.slice(to, to + AROUND)}
        </blockquote>
      )}
      <p class="actions">
        {typeof found !== 'string' && found.url !== undefined && isHarmless(found.url) && (
          <a href={found.url} target="_blank" rel="noopener noreferrer nofollow">
            {texts.talk.whole}
          </a>
        )}
        <button type="button" onClick={onClose}>
          {texts.close}
        </button>
      </p>
    </Dialog>
  );
}
