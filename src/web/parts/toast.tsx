import { signal } from '@preact/signals';
import { wordsFor } from '../server.ts';

interface Toast {
  text: string;
  kind: 'fine' | 'failure';
}

const SHOWN_MS = 6000;
const shown = signal<Toast | undefined>(undefined);
let hiding: ReturnType<typeof setTimeout> | undefined;

/** Says something at the page's edge for a while. */
export function toast(text: string, kind: Toast['kind'] = 'fine'): void {
  shown.value = { text, kind };
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    shown.value = undefined;
  }, SHOWN_MS);
}

/** Does something, and says it where that fails. Undefined then. */
export async function attempt<T>(doing: () => Promise<T>): Promise<T | undefined> {
  try {
    return await doing();
  } catch (error) {
    toast(wordsFor(error), 'failure');
    return undefined;
  }
}

/** An alert and no status: how the talk is has that role. */
export function Toasts() {
  const toast = shown.value;
  return (
    <div class="toasts" role="alert">
      {toast && <p class={`toast ${toast.kind}`}>{toast.text}</p>}
    </div>
  );
}
