import { formatShare } from '../text/format.ts';
import { texts } from '../text/texts.ts';

/** What a reply went by: docs/protocol.md, section 11.3. */
interface Source {
  n: number;
  collection: string;
  title: string;
  passage: number;
  score: number;
  cited?: boolean;
}

export function Sources({ sources }: { sources: unknown }) {
  const known = Array.isArray(sources) ? sources.filter(isSource) : [];
  if (known.length === 0) return null;
  return (
    <details class="sources">
      <summary>
        {texts.talk.sources} ({known.length})
      </summary>
      <ol>
        {known.map(({ n, title, passage, collection, score, cited }) => (
          <li key={n} value={n} class={cited ? 'cited' : ''}>
            <span dir="auto">{texts.talk.passage(title, passage)}</span>{' '}
            <span class="facts">
              {collection} · {formatShare(score)}
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}

function isSource(given: unknown): given is Source {
  return (
    typeof given === 'object' && given !== null && 'title' in given && 'passage' in given && 'score' in given
  );
}
