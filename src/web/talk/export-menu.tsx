import { signal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { attempt } from '../parts/toast.tsx';
import { fetchFrom } from '../server.ts';
import { texts } from '../text/texts.ts';

export const isExportOpen = signal(false);

/** Takes the result along, in one of the forms that the server has. */
export function ExportMenu({ id }: { id: string }) {
  const menu = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (): void => {
    isExportOpen.value = false;
    button.current?.focus();
  };
  useEffect(() => {
    if (!isExportOpen.value) return undefined;
    list.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const outside = ({ target }: Event): void => {
      const isInside = target instanceof Node && list.current?.parentElement?.contains(target);
      if (!isInside) isExportOpen.value = false;
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [isExportOpen.value]);
  useEffect(
    () => () => {
      isExportOpen.value = false;
    },
    [],
  );
  const move = (event: KeyboardEvent): void => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: items.length - 1,
    };
    const to = steps[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') close();
    if (to === undefined && event.key !== 'Escape') return;
    event.preventDefault();
    if (to !== undefined) items[(to + items.length) % items.length]?.focus();
  };
  return (
    <div class="menu">
      <button
        ref={button}
        type="button"
        aria-haspopup="menu"
        aria-expanded={isExportOpen.value}
        aria-controls={menu}
        aria-keyshortcuts="e"
        onClick={() => {
          isExportOpen.value = !isExportOpen.value;
        }}
      >
        {texts.talk.export}
      </button>
      {isExportOpen.value && (
        <div ref={list} role="menu" id={menu} aria-label={texts.talk.export} onKeyDown={move}>
          {Object.entries(texts.talk.formats).map(([format, name]) => (
            <button
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                void attempt(() => download(id, format));
              }}
            >
              {name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** With the key where there is one, which a link can't carry. @throws what the server says against it */
async function download(id: string, format: string): Promise<void> {
  const response = await fetchFrom(`/conversations/${id}/export?format=${format}`);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = fileNameOf(response.headers.get('content-disposition') ?? '') ?? `${id}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** https://www.rfc-editor.org/rfc/rfc6266#section-4.3 */
function fileNameOf(disposition: string): string | undefined {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  if (encoded !== undefined) return decodeURIComponent(encoded);
  return /filename="([^"]+)"/.exec(disposition)?.[1];
}
