import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import type { Conversation, ConversationsQuery } from '../../client/types.ts';
import { useShortcuts } from '../parts/shortcuts.tsx';
import { toast } from '../parts/toast.tsx';
import { wordsFor } from '../server.ts';
import { toneOf } from '../talk/roster.ts';
import { formatAgo, formatFull } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import { listing, readOn, refresh } from './catalog.ts';
import { FoundMessages } from './found.tsx';

const PROVIDERS = ['claude', 'chatgpt', 'gemini', 'grok', 'perplexity', 'local', 'a2a', 'embedded', 'human'];
const MOST_COMPARED = 6;
const LOOK_AGAIN_MS = 3000;
const TYPING_MS = 250;

/** Where the list was scrolled to when another view took its place. */
let keptScroll = 0;

/** All talks, newest first, as they are at this moment. */
export function ListView() {
  const { query, route } = useLocation();
  const filter = useMemo<ConversationsQuery>(() => {
    const { q, status, provider } = query;
    return {
      ...(q ? { q } : {}),
      ...(status && status in texts.status ? { status: status as Conversation['status'] } : {}),
      ...(provider ? { provider } : {}),
    };
  }, [query.q, query.status, query.provider]);
  const [wanted, setWanted] = useState(query.q ?? '');
  const chosen = useSignal<readonly string[]>([]);
  const search = useRef<HTMLInputElement>(null);
  const end = useRef<HTMLDivElement>(null);
  useShortcuts({ '/': () => search.current?.focus() });

  const look = (part: Record<string, string>): void => {
    const next = new URLSearchParams(
      Object.entries({ ...query, ...part }).filter(([, value]) => value !== ''),
    );
    route(next.size > 0 ? `/?${next}` : '/', true);
  };
  useEffect(() => {
    if (wanted === (query.q ?? '')) return undefined;
    const typing = setTimeout(() => look({ q: wanted }), TYPING_MS);
    return () => clearTimeout(typing);
  }, [wanted]);

  useEffect(() => {
    const leaving = new AbortController();
    let next: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const again = async (): Promise<void> => {
      try {
        if (document.visibilityState === 'visible') await refresh(filter, leaving.signal);
        failures = 0;
      } catch (error) {
        if (leaving.signal.aborted) return;
        failures += 1;
        if (failures === 1) toast(wordsFor(error), 'failure');
      }
      if (!leaving.signal.aborted)
        next = setTimeout(() => void again(), LOOK_AGAIN_MS * Math.min(10, 1 + failures));
    };
    void again();
    const onEnd = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) readOn(filter, leaving.signal).catch(() => {});
      },
      { rootMargin: '600px' },
    );
    if (end.current) onEnd.observe(end.current);
    return () => {
      leaving.abort();
      onEnd.disconnect();
      clearTimeout(next);
    };
  }, [filter]);

  useLayoutEffect(() => {
    scrollTo(0, keptScroll);
    return () => {
      keptScroll = scrollY;
    };
  }, []);

  const shown = listing.value?.filter === JSON.stringify(filter) ? listing.value : undefined;
  const isFiltered = Object.keys(filter).length > 0;
  const choose = (id: string, isChosen: boolean): void => {
    const others = chosen.value.filter((each) => each !== id);
    if (isChosen && others.length >= MOST_COMPARED) toast(texts.list.chosenTooMany);
    else chosen.value = isChosen ? [...others, id] : others;
  };
  return (
    <section class="talks" aria-label={texts.nav.talks}>
      <search class="filters">
        <input
          ref={search}
          type="search"
          aria-label={texts.list.search}
          placeholder={texts.list.searchHint}
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
        <select
          aria-label={texts.list.status}
          value={filter.status ?? ''}
          onChange={({ currentTarget }) => look({ status: currentTarget.value })}
        >
          <option value="">{`${texts.list.status}: ${texts.list.any}`}</option>
          {Object.entries(texts.status).map(([status, name]) => (
            <option key={status} value={status}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label={texts.list.provider}
          value={filter.provider ?? ''}
          onChange={({ currentTarget }) => look({ provider: currentTarget.value })}
        >
          <option value="">{`${texts.list.provider}: ${texts.list.any}`}</option>
          {PROVIDERS.map((provider) => (
            <option key={provider} value={provider}>
              {provider}
            </option>
          ))}
        </select>
      </search>
      {chosen.value.length > 1 && (
        <a class="button primary compare" href={`/compare?ids=${chosen.value.join(',')}`}>
          {texts.list.compare(chosen.value.length)}
        </a>
      )}
      <ul class="list" role="list" aria-label={texts.list.label} aria-busy={shown === undefined}>
        {shown?.items.map((conversation) => (
          <Item
            key={conversation.id}
            conversation={conversation}
            isChosen={chosen.value.includes(conversation.id)}
            onChoose={choose}
          />
        ))}
      </ul>
      {shown?.items.length === 0 && (
        <p class="hint empty">{isFiltered ? texts.list.noneFound : texts.list.none}</p>
      )}
      <div ref={end} />
      {filter.q && <FoundMessages q={filter.q} />}
    </section>
  );
}

function Item({
  conversation,
  isChosen,
  onChoose,
}: {
  conversation: Conversation;
  isChosen: boolean;
  onChoose: (id: string, isChosen: boolean) => void;
}) {
  const { id, topic, status, agents, turns, maxTurns, createdAt, termination } = conversation;
  return (
    <li>
      <input
        type="checkbox"
        class="chooser"
        aria-label={texts.list.choose(topic)}
        checked={isChosen}
        onChange={({ currentTarget }) => onChoose(id, currentTarget.checked)}
      />
      <div class="summary">
        <a href={`/c/${id}`}>
          <span class="topic-line" dir="auto">
            {topic}
          </span>{' '}
          <span class="status-line">
            <span class={`pill ${status}`} aria-hidden="true" />
            <span class="status-name">{texts.status[status]}</span>
          </span>
        </a>
        <span class="facts">
          {status === 'terminated' && termination
            ? `${texts.side.turns(turns)} · ${texts.reasons[termination.reason]}`
            : texts.list.turns(turns, maxTurns)}
        </span>
        <span class="names">
          {agents.map(({ name }) => (
            <span key={name} class={`name ${toneOf(conversation, name)}`} dir="auto">
              {name}
            </span>
          ))}
          <time dateTime={createdAt} title={formatFull(createdAt)}>
            {formatAgo(createdAt)}
          </time>
        </span>
      </div>
    </li>
  );
}
