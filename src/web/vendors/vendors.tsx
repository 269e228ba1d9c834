import { useEffect, useState } from 'preact/hooks';
import type { ProviderStatus } from '../../client/types.ts';
import { attempt } from '../parts/toast.tsx';
import { ask } from '../server.ts';
import { texts } from '../text/texts.ts';

/** Who is reached where the configuration says, and not by a key. */
function wantedBy(id: string): string {
  return id === 'local' || id === 'a2a' ? texts.vendors.needsAddress : texts.vendors.notConfigured;
}

const LOOK_AGAIN_MS = 3000;

/** Who can play agents, and how their circuits are. */
export function VendorsView() {
  const [providers, setProviders] = useState<readonly ProviderStatus[]>([]);
  useEffect(() => {
    document.title = texts.vendors.title;
    const leaving = new AbortController();
    const { signal } = leaving;
    const look = async (): Promise<void> => {
      const page = await ask((client) => client.providers({ signal }));
      setProviders(page.items);
    };
    void attempt(look);
    const again = setInterval(() => void look().catch(() => {}), LOOK_AGAIN_MS);
    return () => {
      leaving.abort();
      clearInterval(again);
    };
  }, []);
  return (
    <main class="page" id="content">
      <h1>{texts.vendors.title}</h1>
      <p class="hint">{texts.vendors.hint}</p>
      <ul class="vendors" role="list" aria-label={texts.vendors.label}>
        {providers.map(({ id, configured, defaultModel, models, circuit }) => (
          <li key={id} class={configured ? 'ready' : ''}>
            <h2>{id}</h2>
            <p class="status-line">
              <span class={`pill ${configured ? circuit : 'terminated'}`} aria-hidden="true" />
              {configured ? texts.vendors.configured : wantedBy(id)}
              {configured && id !== 'human' && <span class="facts">· {texts.vendors.circuit[circuit]}</span>}
            </p>
            {defaultModel !== null && (
              <p class="facts">
                <code>{defaultModel}</code> {texts.vendors.defaultModel}
              </p>
            )}
            {models && models.length > 0 && (
              <p class="facts">
                {texts.vendors.models}: {models.join(', ')}
              </p>
            )}
          </li>
        ))}
      </ul>
    </main>
  );
}
