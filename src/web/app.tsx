import lazy from 'preact-iso/lazy';
import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { HomeView } from './home/home.tsx';
import { KeyDialog } from './parts/key-dialog.tsx';
import { CheatSheet, isCheatSheetOpen, useShortcuts } from './parts/shortcuts.tsx';
import { Toasts } from './parts/toast.tsx';
import { hasKey, useKey as takeKey } from './server.ts';
import { texts } from './text/texts.ts';

// What only one view needs comes with it.
const TalkView = lazy(() => import('./talk/view.tsx').then(({ TalkView }) => TalkView));
const CompareView = lazy(() => import('./compare/compare.tsx').then(({ CompareView }) => CompareView));
const VendorsView = lazy(() => import('./vendors/vendors.tsx').then(({ VendorsView }) => VendorsView));

/** All other addresses are the server's own. */
const OWN = /^\/(\?|$|c\/|compare|vendors)/;

export function App() {
  return (
    <LocationProvider scope={OWN}>
      <a class="skip" href="#content">
        {texts.skipToContent}
      </a>
      <Shell />
      <KeyDialog />
      <CheatSheet />
      <Toasts />
    </LocationProvider>
  );
}

function Shell() {
  const { path, route } = useLocation();
  useShortcuts({
    '?': () => {
      isCheatSheetOpen.value = true;
    },
    g: () => route('/'),
    ...(path === '/' ? {} : { n: () => route('/') }),
  });
  return (
    <>
      <Bar path={path} />
      <Router>
        <Route path="/" component={HomeView} />
        <Route path="/c/:id" component={TalkView} />
        <Route path="/compare" component={CompareView} />
        <Route path="/vendors" component={VendorsView} />
        <Route default component={HomeView} />
      </Router>
    </>
  );
}

function Bar({ path }: { path: string }) {
  const link = (href: string, text: string) => (
    <a href={href} aria-current={path === href ? 'page' : undefined}>
      {text}
    </a>
  );
  return (
    <header class="bar">
      <a class="brand" href="/">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <path
            class="first"
            d="M4 9a5 5 0 0 1 5-5h9a5 5 0 0 1 5 5v3a5 5 0 0 1-5 5h-6l-5 4v-4.4A5 5 0 0 1 4 12z"
          />
          <path
            class="second"
            d="M25 12.2a5 5 0 0 1 3 4.5v3a5 5 0 0 1-3 4.6V28l-4.500-3.300H17a5 5 0 0 1-4.600-3H18a7 7 0 0 0 7-7z"
          />
        </svg>
        {texts.product}
      </a>
      <nav aria-label={texts.nav.label}>
        {link('/', texts.nav.talks)}
        {link('/vendors', texts.nav.vendors)}
        <a href="/docs">{texts.nav.docs}</a>
        {hasKey.value && (
          <button type="button" class="quiet" onClick={() => takeKey(undefined)}>
            {texts.key.forget}
          </button>
        )}
        <button
          type="button"
          class="quiet"
          aria-keyshortcuts="?"
          onClick={() => {
            isCheatSheetOpen.value = true;
          }}
        >
          {texts.nav.keys} <kbd aria-hidden="true">?</kbd>
        </button>
      </nav>
    </header>
  );
}
