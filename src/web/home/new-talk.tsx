import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { ProblemError } from '../../client/failures.ts';
import type { ProviderStatus } from '../../client/types.ts';
import { useShortcuts } from '../parts/shortcuts.tsx';
import { toast } from '../parts/toast.tsx';
import { ask, wordsFor } from '../server.ts';
import { texts } from '../text/texts.ts';
import { type Draft, EMPTY_DRAFT, type Faults, faultsOf, requestOf } from './draft.ts';
import { Gallery, type Scenario } from './gallery.tsx';
import { More } from './more.tsx';

/** The form for a new talk: a topic is enough. */
export function NewTalk() {
  const { route } = useLocation();
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const [isOpen, setOpen] = useState(false);
  const [isStarting, setStarting] = useState(false);
  const [refused, setRefused] = useState<Faults>({});
  const [providers, setProviders] = useState<readonly ProviderStatus[]>([]);
  const [scenarios, setScenarios] = useState<readonly Scenario[]>([]);
  const topic = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const faults = { ...refused, ...faultsOf(draft) };
  const isWrong = Object.keys(faultsOf(draft)).length > 0;

  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    ask((client) => client.providers({ signal })).then(
      ({ items }) => setProviders(items),
      () => {},
    );
    ask((client) => client.scenarios({ signal })).then(
      ({ items }) => setScenarios(items),
      () => {},
    );
    return () => leaving.abort();
  }, []);
  useShortcuts({ n: () => topic.current?.focus() });

  const change = (part: Partial<Draft>): void => {
    setDraft((before) => ({ ...before, ...part }));
    setRefused({});
  };
  const start = async (): Promise<void> => {
    if (draft.topic.trim() === '' || isWrong || isStarting) {
      topic.current?.focus();
      return;
    }
    setStarting(true);
    try {
      const idempotencyKey = crypto.randomUUID();
      const made = await ask((client) => client.createConversation(requestOf(draft), { idempotencyKey }));
      route(`/c/${made.id}`);
    } catch (error) {
      setStarting(false);
      const found = error instanceof ProblemError ? error.errors : [];
      setRefused(Object.fromEntries(found.map(({ path, message }) => [path, message])));
      if (found.some(({ path }) => path !== 'topic')) setOpen(true);
      toast(wordsFor(error), 'failure');
    }
  };

  return (
    <section class="start">
      <h1>{texts.start.title}</h1>
      <form
        aria-label={texts.start.form}
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <div class="topic">
          <textarea
            ref={topic}
            rows={2}
            dir="auto"
            required
            autofocus
            aria-label={texts.start.topic}
            aria-invalid={faults['topic'] !== undefined}
            aria-describedby={faults['topic'] ? `${id}topic` : undefined}
            placeholder={texts.start.topicHint}
            value={draft.topic}
            onInput={({ currentTarget }) => change({ topic: currentTarget.value })}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              void start();
            }}
          />
          <div class="go">
            <button
              type="button"
              class="quiet"
              aria-expanded={isOpen}
              aria-controls={`${id}more`}
              onClick={() => setOpen(!isOpen)}
            >
              {texts.start.more}
            </button>
            <button type="submit" class="primary" disabled={isStarting || isWrong}>
              {isStarting ? texts.start.starting : texts.start.start}
            </button>
          </div>
        </div>
        {faults['topic'] && (
          <p class="fault" id={`${id}topic`}>
            {faults['topic']}
          </p>
        )}
        <Gallery
          scenarios={scenarios}
          chosen={draft.scenario}
          onChoose={(scenario) => change({ scenario })}
        />
        {isOpen && (
          <div class="more" id={`${id}more`}>
            <More draft={draft} faults={faults} providers={providers} onChange={change} />
          </div>
        )}
      </form>
    </section>
  );
}
