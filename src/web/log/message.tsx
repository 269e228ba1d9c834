import { useComputed } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { Conversation, Message } from '../../client/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import type { Said, Speaking } from '../talk/entries.ts';
import { toneOf } from '../talk/roster.ts';
import {
  formatClock,
  formatCount,
  formatDollars,
  formatDuration,
  formatFull,
  formatNames,
  formatRate,
} from '../text/format.ts';
import { Markdown } from '../text/markdown.tsx';
import { texts } from '../text/texts.ts';
import { Sources } from './sources.tsx';

/** What can be done with a message. */
export interface MessageHands {
  fork: (seq: number) => void;
  /** Forks from the message before, so that this turn is spoken anew. */
  again: (seq: number) => void;
  retract: (seq: number) => void;
}

/** Of an English text; what a vendor says comes with the message. */
const CHARACTERS_PER_TOKEN = 4;
const CHARACTERS_A_STEP = 120;

export function MessageArticle({
  entry,
  conversation,
  hands,
}: {
  entry: Said;
  conversation: Conversation | undefined;
  /** None where it is only read. */
  hands?: MessageHands;
}) {
  const id = useId();
  const { message } = entry;
  const { sender, role, content, timestamp, retracted, visibleTo, seq, turn } = message;
  const isOpening = turn === 0 && role === 'moderator' && seq <= 2;
  const model = conversation?.agents.find(({ name }) => name === sender);
  return (
    <article
      class={`message ${role} ${toneOf(conversation, sender)}${retracted ? ' retracted' : ''}${visibleTo ? ' whisper' : ''}`}
      aria-labelledby={id}
      tabIndex={-1}
      data-seq={seq}
    >
      <Avatar name={sender} conversation={conversation} />
      <header>
        <span class="sender" id={id} dir="auto">
          {sender}
        </span>
        {model && role === 'agent' && <span class="model">{message.metadata.model ?? model.model}</span>}
        {visibleTo && <span class="mark">{texts.talk.whispered(formatNames(visibleTo))}</span>}
        {retracted && (
          <span class="mark" title={texts.talk.retractedLong}>
            {texts.talk.retracted}
          </span>
        )}
        <time dateTime={timestamp} title={formatFull(timestamp)}>
          {formatClock(timestamp)}
        </time>
      </header>
      <div class="body" dir="auto">
        <Markdown text={content} isWhole />
      </div>
      <Facts message={message} />
      {hands && (
        <div class="hands">
          <button type="button" onClick={() => hands.fork(seq)}>
            {texts.talk.fork}
          </button>
          {role === 'agent' && (
            <button type="button" onClick={() => hands.again(seq)}>
              {texts.talk.again}
            </button>
          )}
          <button type="button" disabled={isOpening || retracted === true} onClick={() => hands.retract(seq)}>
            {texts.talk.retract}
          </button>
        </div>
      )}
    </article>
  );
}

/** What it took, what guards found in it, and what it goes by. */
function Facts({ message: { metadata } }: { message: Message }) {
  const { timeToFirstTokenMs, latencyMs, outputTokens, inputTokens, costUsd, guard, edited, phase } =
    metadata;
  const tokens = (inputTokens ?? 0) + (outputTokens ?? 0);
  const speakingMs = (latencyMs ?? 0) - (timeToFirstTokenMs ?? 0);
  const facts = [
    phase,
    timeToFirstTokenMs !== undefined && texts.talk.firstToken(formatDuration(timeToFirstTokenMs)),
    outputTokens !== undefined &&
      speakingMs > 0 &&
      texts.talk.rate(formatRate((outputTokens / speakingMs) * 1000)),
    tokens > 0 && texts.talk.tokens(formatCount(tokens)),
    costUsd !== undefined && costUsd > 0 && formatDollars(costUsd),
    edited === true && texts.talk.edited,
  ].filter((fact) => typeof fact === 'string');
  const sources = 'sources' in metadata ? metadata.sources : undefined;
  if (facts.length === 0 && !guard && sources === undefined) return null;
  return (
    <footer>
      {facts.length > 0 && <span class="facts">{facts.join(' · ')}</span>}
      {guard?.map(({ scanner, kind, action, count }) => (
        <span class={`mark guard ${action}`}>
          {texts.talk.found(scanner.replaceAll('_', ' '), action)} ({kind}
          {count > 1 ? ` × ${formatCount(count)}` : ''})
        </span>
      ))}
      {sources !== undefined && <Sources sources={sources} />}
    </footer>
  );
}

/** A turn while it is being spoken; it becomes the message in the same place. */
export function SpeakingArticle({
  entry,
  conversation,
}: {
  entry: Speaking;
  conversation: Conversation | undefined;
}) {
  const id = useId();
  const { agent } = entry;
  const hasText = useComputed(() => entry.text.value !== '');
  const retryInMs = entry.retryInMs.value;
  return (
    <article
      class={`message agent speaking ${toneOf(conversation, agent)}`}
      aria-labelledby={id}
      aria-busy="true"
    >
      <Avatar name={agent} conversation={conversation} isSpeaking />
      <header>
        <span class="sender" id={id} dir="auto">
          {agent}
        </span>
        <LiveFacts entry={entry} />
      </header>
      <div class="body" dir="auto">
        {retryInMs !== undefined && (
          <p class="waiting">{texts.talk.tryingAgain(formatDuration(retryInMs))}</p>
        )}
        {hasText.value ? <GrowingBody entry={entry} /> : <span class="dots" aria-hidden="true" />}
      </div>
    </article>
  );
}

function GrowingBody({ entry }: { entry: Speaking }) {
  return <Markdown text={entry.text.value} isWhole={false} />;
}

function LiveFacts({ entry: { text, startedAt, firstAt } }: { entry: Speaking }) {
  // Read and written anew some times a second, and not with each word.
  const steps = useComputed(() => Math.ceil(text.value.length / CHARACTERS_A_STEP));
  if (startedAt === undefined || firstAt === undefined || steps.value === 0) return null;
  const tokens = text.peek().length / CHARACTERS_PER_TOKEN;
  const seconds = (performance.now() - firstAt) / 1000;
  const facts = [
    texts.talk.firstToken(formatDuration(Math.max(1, firstAt - startedAt))),
    ...(seconds > 0.5 ? [texts.talk.rate(formatCount(tokens / seconds))] : []),
    texts.talk.tokens(`≈ ${formatCount(tokens)}`),
  ];
  return <span class="facts">{facts.join(' · ')}</span>;
}
