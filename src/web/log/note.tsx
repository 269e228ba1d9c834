import type { ComponentChildren } from 'preact';
import type { Conversation } from '../../client/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import type { Note } from '../talk/entries.ts';
import { formatCount, formatRate } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import { Proposal, type ProposalHands } from './proposal.tsx';

/** What happened between messages, as a card; no article, for nobody said it. */
export function NoteCard({
  note,
  conversation,
  hands,
}: {
  note: Note;
  conversation: Conversation | undefined;
  /** None where it is only read. */
  hands?: ProposalHands;
}) {
  const { event } = note;
  switch (event.type) {
    case 'conversation.nudged':
      return (
        <Card kind="nudge" title={texts.notes.nudged}>
          <p dir="auto">{event.content}</p>
        </Card>
      );
    case 'conversation.paused':
      return <Line text={pauseWords(event)} detail={event.detail} />;
    case 'conversation.resumed':
      return <Line text={texts.notes.resumed} />;
    case 'attempt.spent':
      return <Line text={texts.notes.spent(event.agent)} detail={event.error} />;
    case 'speaker.chosen':
      return (
        <Line
          text={texts.notes.chosen(event.agent)}
          detail={[texts.notes.chosenBy[event.by], event.detail].filter(Boolean).join(': ')}
        />
      );
    case 'ballot.cast': {
      const { agent, choice, why } = event;
      const choices = choice === null ? [] : [choice].flat();
      return (
        <Card
          kind="ballot"
          title={texts.notes.ballot(agent)}
          avatar={<Avatar name={agent} conversation={conversation} />}
        >
          {choices.length === 0 && <p>{texts.notes.ballotInvalid}</p>}
          {choices.length === 1 && <p class="choice">{choices[0]}</p>}
          {choices.length > 1 && (
            <ol class="choice">
              {choices.map((each) => (
                <li dir="auto">{each}</li>
              ))}
            </ol>
          )}
          {why && (
            <p class="why" dir="auto">
              {why}
            </p>
          )}
        </Card>
      );
    }
    case 'vote.closed': {
      const { tally, winner, valid, invalid, method } = event;
      return (
        <Card kind="outcome" title={texts.notes.vote}>
          <p class="winner">{winnerWords(method, winner)}</p>
          <Bars values={Object.entries(tally)} format={formatCount} />
          <p class="facts">
            {texts.notes.methods[method] ?? method} · {texts.notes.votes(valid, invalid)}
          </p>
        </Card>
      );
    }
    case 'verdict.given': {
      const { winner, totals, scores, summary } = event;
      return (
        <Card kind="outcome" title={texts.notes.verdict}>
          <p class="winner">{winner === null ? texts.notes.noWinner : texts.notes.winner(winner)}</p>
          <Bars values={Object.entries(totals)} format={formatRate} />
          {summary && <p dir="auto">{summary}</p>}
          {scores.some(({ why }) => why) && (
            <ul class="scores">
              {scores.map(({ agent, criterion, score, why }) => (
                <li>
                  <b dir="auto">{agent}</b> {criterion}: {formatRate(score)}
                  {why && <span dir="auto"> – {why}</span>}
                </li>
              ))}
            </ul>
          )}
        </Card>
      );
    }
    case 'turn.proposed':
      return (
        <Proposal note={note} proposed={event} conversation={conversation} {...(hands ? { hands } : {})} />
      );
    case 'conversation.terminated':
      return (
        <Card kind="ending" title={texts.notes.ended}>
          <p>{texts.reasons[event.reason] ?? event.reason}</p>
          {event.detail && (
            <p class="why" dir="auto">
              {event.detail}
            </p>
          )}
        </Card>
      );
    default:
      return event satisfies never;
  }
}

function pauseWords({
  for: reason,
  agent,
}: {
  for?: string | undefined;
  agent?: string | undefined;
}): string {
  if (reason === 'human' && agent !== undefined) return texts.talk.waitsForHuman(agent);
  if (reason === 'approval' && agent !== undefined) return texts.talk.waitsForApproval(agent);
  return texts.notes.paused;
}

function winnerWords(method: string, winner: string | null): string {
  if (method === 'consensus') return winner === null ? texts.notes.notAgreed : texts.notes.agreed;
  return winner === null ? texts.notes.noWinner : texts.notes.winner(winner);
}

function Line({ text, detail }: { text: string; detail?: string | undefined }) {
  return (
    <p class="line" role="note">
      <span dir="auto">{text}</span>
      {detail && (
        <span class="facts" dir="auto">
          {' '}
          {detail}
        </span>
      )}
    </p>
  );
}

function Card({
  kind,
  title,
  avatar,
  children,
}: {
  kind: string;
  title: string;
  avatar?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <div class={`card ${kind}`} role="note" aria-label={title}>
      <p class="title" dir="auto">
        {avatar}
        {title}
      </p>
      {children}
    </div>
  );
}

function Bars({ values, format }: { values: [string, number][]; format: (value: number) => string }) {
  const most = Math.max(1, ...values.map(([, value]) => value));
  const sorted = [...values].sort(([, left], [, right]) => right - left);
  return (
    <dl class="bars">
      {sorted.map(([name, value]) => (
        <div key={name}>
          <dt dir="auto">{name}</dt>
          <dd>
            <span class="bar-track" aria-hidden="true">
              <span style={{ inlineSize: `${Math.max(0, (value / most) * 100)}%` }} />
            </span>
            {format(value)}
          </dd>
        </div>
      ))}
    </dl>
  );
}
