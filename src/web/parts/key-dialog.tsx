import { useId, useState } from 'preact/hooks';
import { keyWanted, useKey as takeKey } from '../server.ts';
import { texts } from '../text/texts.ts';
import { Dialog } from './dialog.tsx';

/** Asks for the key, where the server wants one. */
export function KeyDialog() {
  const id = useId();
  const [key, setKey] = useState('');
  if (keyWanted.value === 'no') return null;
  return (
    <Dialog
      title={texts.key.title}
      onClose={() => {
        keyWanted.value = 'no';
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim() === '') return;
          setKey('');
          takeKey(key.trim());
        }}
      >
        <p>{texts.key.hint}</p>
        {keyWanted.value === 'wrong' && (
          <p class="fault" role="alert">
            {texts.key.wrong}
          </p>
        )}
        <label for={id}>{texts.key.field}</label>
        {/* No password field: a browser would offer to keep it for longer than this tab. */}
        <input
          id={id}
          class="secret"
          autocomplete="off"
          spellcheck={false}
          autocapitalize="off"
          autofocus
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
        <div class="actions">
          <button type="submit" class="primary">
            {texts.key.use}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
