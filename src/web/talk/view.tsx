import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import type { ApprovalRequest } from '../../client/types.ts';
import { Log } from '../log/log.tsx';
import { OpenedSource } from '../log/sources.tsx';
import { useShortcuts } from '../parts/shortcuts.tsx';
import { attempt, toast } from '../parts/toast.tsx';
import { ask } from '../server.ts';
import { Side } from '../side/side.tsx';
import { texts } from '../text/texts.ts';
import { Composer } from './composer.tsx';
import { ExportMenu, isExportOpen } from './export-menu.tsx';
import { speakerOf } from './roster.ts';
import { statusWords } from './status.ts';
import type { Talk } from './talk.ts';
import { ID, useTalk } from './use-talk.ts';

export function TalkView() {
  const { id = '' } = useRoute().params;
  const talk = useTalk(id);
  if (!ID.test(id)) return <Missing />;
  return talk ? <Watched key={id} talk={talk} /> : <main class="talk" />;
}

/** Between a pane that is always there and one that is called for. */
const WIDE = '(min-width: 68rem)';

function Watched({ talk }: { talk: Talk }) {
  const { route } = useLocation();
  const conversation = talk.conversation.value;
  const connection = talk.connection.value;
  const speaker = speakerOf(talk.entries.value);
  const isSideOpen = useSignal(matchMedia(WIDE).matches);
  const { id } = talk;

  useEffect(() => {
    document.title = conversation?.topic ?? texts.product;
  }, [conversation?.topic]);

  const fork = async (atSeq: number): Promise<void> => {
    const forked = await attempt(() =>
      ask((client) => client.fork(id, { atSeq }, { idempotencyKey: crypto.randomUUID() })),
    );
    if (forked) route(`/c/${forked.id}`);
  };
  const pauseOrResume = async (): Promise<void> => {
    const isPaused = talk.conversation.peek()?.status === 'paused';
    const known = await attempt(() => ask((client) => (isPaused ? client.resume(id) : client.pause(id))));
    if (known) talk.learn(known);
  };
  const end = async (): Promise<void> => {
    const known = await attempt(() => ask((client) => client.terminate(id)));
    if (known) talk.learn(known);
  };
  const decide = async (request: ApprovalRequest): Promise<void> => {
    const known = await attempt(() => ask((client) => client.approve(id, request)));
    if (known) talk.learn(known);
  };
  const copyLink = async (): Promise<void> => {
    await attempt(() => navigator.clipboard.writeText(location.href));
    toast(texts.talk.copied);
  };
  const hands = useMemo(
    () => ({
      fork: (seq: number) => void fork(seq),
      again(seq: number) {
        const said = talk.entries.peek().filter((entry) => entry.kind === 'said');
        const before = said.findLast(({ message }) => message.seq < seq);
        if (before) void fork(before.message.seq);
      },
      retract: (seq: number) => void attempt(() => ask((client) => client.retract(id, { seq }))),
      decide: (request: ApprovalRequest) => void decide(request),
    }),
    [talk],
  );
  useShortcuts({
    p: () => void pauseOrResume(),
    e: () => {
      isExportOpen.value = true;
    },
    l: () => void copyLink(),
    d: () => {
      isSideOpen.value = !isSideOpen.value;
    },
    s: () => document.getElementById('say')?.focus(),
  });

  if (connection === 'missing') return <Missing />;
  const isOver = conversation?.status === 'terminated';
  return (
    <main class={`talk${isSideOpen.value ? ' with-side' : ''}`}>
      <header class="head">
        <h1 dir="auto">{conversation?.topic ?? '…'}</h1>
        <div class="actions">
          {!isOver && (
            <button type="button" aria-keyshortcuts="p" onClick={() => void pauseOrResume()}>
              {conversation?.status === 'paused' ? texts.talk.resume : texts.talk.pause}
            </button>
          )}
          {!isOver && (
            <button type="button" onClick={() => void end()}>
              {texts.talk.end}
            </button>
          )}
          <ExportMenu id={id} />
          <button type="button" aria-keyshortcuts="l" onClick={() => void copyLink()}>
            {texts.talk.copyLink}
          </button>
          <button
            type="button"
            aria-keyshortcuts="d"
            aria-expanded={isSideOpen.value}
            onClick={() => {
              isSideOpen.value = !isSideOpen.value;
            }}
          >
            {texts.talk.details}
          </button>
        </div>
        <div class="state">
          <span
            class={`pill ${connection === 'lost' ? 'lost' : (conversation?.status ?? 'queued')}`}
            aria-hidden="true"
          />
          <p role="status">{statusWords(conversation, connection, speaker)}</p>
          {conversation?.forkedFrom && (
            <span class="forked">
              <a href={`/c/${conversation.forkedFrom.id}`}>{texts.talk.forkedFrom}</a> ·{' '}
              <a href={`/compare?ids=${conversation.forkedFrom.id},${id}`}>
                {texts.talk.compareWithOriginal}
              </a>
            </span>
          )}
        </div>
      </header>
      <Log talk={talk} hands={hands} />
      {!isOver && conversation && <Composer talk={talk} conversation={conversation} />}
      {isSideOpen.value && conversation && (
        <Side
          talk={talk}
          conversation={conversation}
          speaker={speaker}
          onClose={() => {
            isSideOpen.value = false;
          }}
        />
      )}
      <OpenedSource />
    </main>
  );
}

function Missing() {
  return (
    <main class="page" id="content">
      <p role="status">{texts.talk.missing}</p>
      <a href="/">{texts.talk.back}</a>
    </main>
  );
}
