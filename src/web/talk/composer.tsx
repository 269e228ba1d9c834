import { signal } from '@preact/signals';
import { useId, useRef, useState } from 'preact/hooks';
import type { Conversation, SayRequest } from '../../client/types.ts';
import { attempt } from '../parts/toast.tsx';
import { ask } from '../server.ts';
import { texts } from '../text/texts.ts';
import type { Talk } from './talk.ts';

const NAME_KEPT_AS = 'aic.name';
const HOLD_KEPT_AS = 'aic.hold';
const MODERATOR = 'Moderator';

const name = signal(localStorage.getItem(NAME_KEPT_AS) ?? '');
const holds = signal(localStorage.getItem(HOLD_KEPT_AS) === 'on');

/** Where people say something. */
export function Composer({ talk, conversation }: { talk: Talk; conversation: Conversation }) {
  const [content, setContent] = useState('');
  const [whisperTo, setWhisperTo] = useState<readonly string[]>([]);
  const [interrupt, setInterrupt] = useState(false);
  const [isSending, setSending] = useState(false);
  const [hasOptions, setOptions] = useState(false);
  const isHeld = useRef(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const { pause } = conversation;
  const dueHere = pause?.for === 'human' ? pause.agent : undefined;

  const hold = async (): Promise<void> => {
    if (!holds.peek() || isHeld.current || talk.conversation.peek()?.status !== 'running') return;
    isHeld.current = true;
    const known = await attempt(() => ask((client) => client.pause(talk.id)));
    if (known) talk.learn(known);
  };
  const goOn = async (): Promise<void> => {
    if (!isHeld.current) return;
    isHeld.current = false;
    const known = await attempt(() => ask((client) => client.resume(talk.id)));
    if (known) talk.learn(known);
  };
  const send = async (): Promise<void> => {
    if (content.trim() === '' || isSending) return;
    setSending(true);
    const said = name.peek().trim();
    const request: SayRequest = {
      content,
      ...(whisperTo.length > 0 ? { visibleTo: [...whisperTo] } : {}),
      ...(interrupt ? { interrupt } : {}),
      ...(said === '' ? {} : said === MODERATOR ? { role: 'moderator' as const } : { sender: said }),
      ...(dueHere === undefined ? {} : { sender: dueHere }),
    };
    const idempotencyKey = crypto.randomUUID();
    const message = await attempt(() => ask((client) => client.say(talk.id, request, { idempotencyKey })));
    setSending(false);
    if (!message) return;
    setContent('');
    setInterrupt(false);
    await goOn();
    field.current?.focus();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {hasOptions && (
        <div class="how" id={`${id}how`}>
          <label>
            {texts.talk.as}
            <input
              list={`${id}names`}
              value={name.value}
              placeholder="Human"
              maxLength={64}
              onInput={({ currentTarget }) => {
                name.value = currentTarget.value;
                localStorage.setItem(NAME_KEPT_AS, currentTarget.value);
              }}
            />
            <datalist id={`${id}names`}>
              <option value={MODERATOR} />
            </datalist>
          </label>
          <fieldset>
            <legend>{texts.talk.whisper}</legend>
            {conversation.agents.map((agent) => (
              <label class="check" key={agent.name}>
                <input
                  type="checkbox"
                  checked={whisperTo.includes(agent.name)}
                  onChange={({ currentTarget: { checked } }) =>
                    setWhisperTo((names) =>
                      checked ? [...names, agent.name] : names.filter((each) => each !== agent.name),
                    )
                  }
                />
                <span dir="auto">{agent.name}</span>
              </label>
            ))}
          </fieldset>
          <label class="check">
            <input
              type="checkbox"
              checked={interrupt}
              onChange={({ currentTarget }) => setInterrupt(currentTarget.checked)}
            />
            {texts.talk.interrupt}
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={holds.value}
              onChange={({ currentTarget }) => {
                holds.value = currentTarget.checked;
                localStorage.setItem(HOLD_KEPT_AS, currentTarget.checked ? 'on' : 'off');
              }}
            />
            {texts.talk.hold}
          </label>
        </div>
      )}
      <div class="write">
        <button
          type="button"
          class="quiet options"
          aria-label={texts.talk.options}
          title={texts.talk.options}
          aria-expanded={hasOptions}
          onClick={() => setOptions(!hasOptions)}
        >
          <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
            <path d="M3 6h7m4 0h3M3 14h3m4 0h7" />
            <circle cx="12" cy="6" r="2" />
            <circle cx="8" cy="14" r="2" />
          </svg>
        </button>
        <textarea
          ref={field}
          id="say"
          rows={1}
          dir="auto"
          aria-label={texts.talk.say}
          placeholder={
            dueHere === undefined
              ? whisperTo.length > 0
                ? `${texts.talk.whisper} ${whisperTo.join(', ')}`
                : texts.talk.say
              : texts.talk.sayAs(dueHere)
          }
          value={content}
          onInput={({ currentTarget }) => {
            setContent(currentTarget.value);
            if (currentTarget.value === '') void goOn();
            else void hold();
          }}
          onKeyDown={(event) => {
            if (event.key === 'Escape') event.currentTarget.blur();
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            void send();
          }}
        />
        <button type="submit" class="primary" disabled={content.trim() === '' || isSending}>
          {texts.talk.send}
        </button>
      </div>
    </form>
  );
}
