import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { texts } from '../text/texts.ts';
import { Dialog } from './dialog.tsx';

const KEPT_AS = 'aic.single-keys';

export const isCheatSheetOpen = signal(false);
/** Who speaks to their computer, or misses keys, turns single keys off. */
const areOn = signal(localStorage.getItem(KEPT_AS) !== 'off');

/** Single keys, where no field has the focus and no dialog is open. */
export function useShortcuts(shortcuts: Record<string, () => void>): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (!areOn.value || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      const isField =
        target instanceof HTMLElement &&
        target.closest('input, textarea, select, dialog, [role=menu]') !== null;
      if (isField) return;
      const act = shortcuts[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  });
}

export function CheatSheet() {
  if (!isCheatSheetOpen.value) return null;
  return (
    <Dialog
      title={texts.shortcuts.title}
      onClose={() => {
        isCheatSheetOpen.value = false;
      }}
    >
      <dl class="shortcuts">
        {texts.shortcuts.list.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={areOn.value}
          onChange={({ currentTarget }) => {
            areOn.value = currentTarget.checked;
            localStorage.setItem(KEPT_AS, currentTarget.checked ? 'on' : 'off');
          }}
        />
        {texts.shortcuts.on}
      </label>
      <form method="dialog" class="actions">
        <button type="submit">{texts.close}</button>
      </form>
    </Dialog>
  );
}
