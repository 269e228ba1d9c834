import { useId, useRef } from 'preact/hooks';
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

/** A turn while it is spoken and when it is said, in one place, so that what stands there stays as it is. */
export function MessageArticle({
  entry,
  conversation,
  hands,
}: {
  entry: Said | Speaking;
  conversation: Conversation | undefined;
  /** None where it is only read. */
  hands?: MessageHands;
}) {
  const id = useId();
  const message = entry.kind === 'said' ? entry.message : undefined;
  const sender = entry.kind === 'said' ? entry.message.sender : entry.agent;
  const manner = message
    ? `${message.role}${message.retracted ? ' retracted' : ''}${message.visibleTo ? ' whisper' : ''}`
    : 'agent speaking';
  return (
    <article
      class={`message ${manner} ${toneOf(conversation, sender)}`}
      aria-labelledby={id}
      aria-busy={message ? undefined : 'true'}
      tabIndex={message ? -1 : undefined}
      data-seq={message?.seq}
    >
      <Avatar name={sender} conversation={conversation} isSpeaking={!message} />
      <header>
        <span class="sender" id={id} dir="auto">
          {sender}
        </span>
        {entry.kind === 'said' ? (
          <Marks message={entry.message} conversation={conversation} />
        ) : (
          <LiveFacts entry={entry} />
        )}
      </header>
      <div class="body" dir="auto">
        <Body entry={entry} />
      </div>
      {message && <Facts message={message} />}
      {message && hands && <Hands message={message} hands={hands} />}
    </article>
  );
}

function Body({ entry }: { entry: Said | Speaking }) {
  const isWhole = entry.kind === 'said';
  const text = isWhole ? entry.message.content : entry.text.value;
  if (text !== '') return <Markdown text={text} isWhole={isWhole} />;
  const retryInMs = isWhole ? undefined : entry.retryInMs.value;
  return (
    <>
      {retryInMs !== undefined && <p class="waiting">{texts.talk.tryingAgain(formatDuration(retryInMs))}</p>}
      <span class="dots" aria-hidden="true" />
    </>
  );
}

function Marks({ message, conversation }: { message: Message; conversation: Conversation | undefined }) {
  const { sender, role, timestamp, retracted, visibleTo, metadata } = message;
  const model = conversation?.agents.find(({ name }) => name === sender);
  return (
    <>
      {model && role === 'agent' && <span class="model">{metadata.model ?? model.model}</span>}
      {visibleTo && <span class="mark">{texts.talk.whispered(formatNames(visibleTo))}</span>}
      {retracted && (
        <span class="mark" title={texts.talk.retractedLong}>
          {texts.talk.retracted}
        </span>
      )}
      <time dateTime={timestamp} title={formatFull(timestamp)}>
        {formatClock(timestamp)}
      </time>
    </>
  );
}

function Hands({ message, hands }: { message: Message; hands: MessageHands }) {
  const { seq, role, turn, retracted } = message;
  const isOpening = turn === 0 && role === 'moderator' && seq <= 2;
  return (
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
  );
}

/** What it took, what guards found in it, and what it goes by. */
function Facts({ message: { metadata } }: { message: Message }) {
  const {
    timeToFirstTokenMs,
    latencyMs,
    outputTokens,
    inputTokens,
    costUsd,
    guard,
    edited,
    phase,
    sources,
    degraded,
  } = metadata;
  const tokens = (inputTokens ?? 0) + (outputTokens ?? 0);
  const speakingMs = (latencyMs ?? 0) - (timeToFirstTokenMs ?? 0);
  const facts = [
    phase,
    timeToFirstTokenMs !== undefined &&
      texts.talk.firstToken(formatDuration(Math.max(1, timeToFirstTokenMs))),
    outputTokens !== undefined &&
      speakingMs >= RATED_FROM_MS &&
      texts.talk.rate(formatRate((outputTokens / speakingMs) * 1000)),
    tokens > 0 && texts.talk.tokens(formatCount(tokens)),
    costUsd !== undefined && costUsd > 0 && formatDollars(costUsd),
    edited === true && texts.talk.edited,
    degraded === true && texts.talk.degraded,
  ].filter((fact) => typeof fact === 'string');
  if (facts.length === 0 && !guard && sources === undefined) return null;
  return (
    <footer>
      {facts.length > 0 && <span class="facts">{facts.join(' · ')}</span>}
      {guard?.map(({ scanner, kind, action, count }) => (
        <span class={`mark guard ${action}`}>
          {texts.talk.found(
            scanner.replaceAll('_', ' '),
            count > 1 ? `${kind.replaceAll('_', ' ')} × ${formatCount(count)}` : kind.replaceAll('_', ' '),
            texts.talk.actions[action] ?? action,
          )}
        </span>
      ))}
      {sources !== undefined && <Sources sources={sources} />}
    </footer>
  );
}

/** What is said quicker came in one piece, and has no rate. */
const RATED_FROM_MS = 200;
const FACTS_EVERY_MS = 1000;

/** Written with the words that come, so that they take no frame of their own; at most once a second. */
function LiveFacts({ entry: { text, startedAt, firstAt } }: { entry: Speaking }) {
  const shown = useRef<{ at: number; words: string }>(undefined);
  const { length } = text.value;
  if (length === 0 || startedAt === undefined || firstAt === undefined) return null;
  const now = performance.now();
  if (!shown.current || now - shown.current.at >= FACTS_EVERY_MS) {
    const tokens = length / CHARACTERS_PER_TOKEN;
    const seconds = (now - firstAt) / 1000;
    const facts = [
      texts.talk.firstToken(formatDuration(Math.max(1, firstAt - startedAt))),
      ...(seconds > 0.5 ? [texts.talk.rate(formatCount(tokens / seconds))] : []),
      texts.talk.tokens(`≈ ${formatCount(tokens)}`),
    ];
    shown.current = { at: now, words: facts.join(' · ') };
  }
  return <span class="facts">{shown.current.words}</span>;
}
