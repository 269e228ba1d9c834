import { useEffect, useState } from 'preact/hooks';
import { fetchFrom } from '../server.ts';
import { texts } from '../text/texts.ts';

/** docs/protocol.md, section 2.8. */
interface Found {
  conversationId: string;
  topic: string;
  seq: number;
  sender: string;
  snippet: string;
  highlights: [from: number, to: number][];
}

/** What was said somewhere, where the server can look for that. */
export function FoundMessages({ q }: { q: string }) {
  const [found, setFound] = useState<readonly Found[]>([]);
  useEffect(() => {
    const leaving = new AbortController();
    fetchFrom(`/search?${new URLSearchParams({ q, limit: '20' })}`, leaving.signal)
      .then((response) => response.json())
      .then(
        ({ items }: { items: Found[] }) => setFound(items),
        () => setFound([]),
      );
    return () => leaving.abort();
  }, [q]);
  if (found.length === 0) return null;
  return (
    <section class="found" aria-label={texts.list.said}>
      <h2>{texts.list.said}</h2>
      <ul>
        {found.map(({ conversationId, topic, seq, sender, snippet, highlights }) => (
          <li key={`${conversationId}${seq}`}>
            <a href={`/c/${conversationId}?seq=${seq}`}>
              <span class="facts" dir="auto">
                {sender} · {topic}
              </span>
              <span dir="auto">{marked(snippet, highlights)}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function marked(text: string, highlights: readonly [number, number][]) {
  let at = 0;
  const pieces = highlights.flatMap(([from, to]) => {
    const before = text.slice(at, from);
    at = to;
    return [before, <mark>{text.slice(from, to)}</mark>];
  });
  return [...pieces, text.slice(at)];
}
