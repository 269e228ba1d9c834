import { useId, useState } from 'preact/hooks';
import type { ApprovalRequest, Conversation } from '../../client/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import type { Note, NoteEvent } from '../talk/entries.ts';
import { Markdown } from '../text/markdown.tsx';
import { texts } from '../text/texts.ts';

export interface ProposalHands {
  decide: (request: ApprovalRequest) => void;
}

/** A reply that is held back: let through, changed, or spoken anew. */
export function Proposal({
  note,
  proposed,
  conversation,
  hands,
}: {
  note: Note;
  proposed: Extract<NoteEvent, { type: 'turn.proposed' }>;
  conversation: Conversation | undefined;
  hands?: ProposalHands;
}) {
  const id = useId();
  const [edited, setEdited] = useState<string | undefined>(undefined);
  const [why, setWhy] = useState('');
  const { seq, message } = proposed;
  const { decided } = note;
  const isOpen = !decided && conversation?.pause?.for === 'approval';
  return (
    <div class={`card proposal${isOpen ? ' open' : ''}`} role="group" aria-labelledby={`${id}title`}>
      <p class="title" id={`${id}title`}>
        <Avatar name={message.sender} conversation={conversation} />
        {texts.notes.proposal(message.sender)}
        {decided && <span class="mark">{texts.notes.decided[decided.decision]}</span>}
      </p>
      {edited === undefined ? (
        <div class="body" dir="auto">
          <Markdown text={message.content} isWhole />
        </div>
      ) : (
        <textarea
          aria-label={texts.notes.text}
          dir="auto"
          value={edited}
          onInput={({ currentTarget }) => setEdited(currentTarget.value)}
        />
      )}
      {isOpen && hands && (
        <>
          <div class="actions">
            {edited === undefined ? (
              <>
                <button
                  type="button"
                  class="primary"
                  onClick={() => hands.decide({ decision: 'approve', seq })}
                >
                  {texts.notes.approve}
                </button>
                <button type="button" onClick={() => setEdited(message.content)}>
                  {texts.notes.edit}
                </button>
              </>
            ) : (
              <>
                <button
                  type="button"
                  class="primary"
                  onClick={() => hands.decide({ decision: 'edit', content: edited, seq })}
                >
                  {texts.notes.approveEdited}
                </button>
                <button type="button" onClick={() => setEdited(undefined)}>
                  {texts.cancel}
                </button>
              </>
            )}
          </div>
          <form
            class="reject"
            onSubmit={(event) => {
              event.preventDefault();
              const detail = why.trim();
              hands.decide({ decision: 'reject', seq, ...(detail === '' ? {} : { detail }) });
            }}
          >
            <input
              aria-label={texts.notes.why}
              placeholder={texts.notes.why}
              dir="auto"
              value={why}
              onInput={({ currentTarget }) => setWhy(currentTarget.value)}
            />
            <button type="submit">{texts.notes.reject}</button>
          </form>
        </>
      )}
    </div>
  );
}
