import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useReducer } from 'preact/hooks';

/** What models call languages, where the highlighter calls them otherwise. */
const ALIASES: Record<string, string> = {
  javascript: 'js',
  jsx: 'js',
  mjs: 'js',
  typescript: 'ts',
  tsx: 'ts',
  python: 'py',
  rust: 'rs',
  shell: 'bash',
  sh: 'bash',
  zsh: 'bash',
  console: 'bash',
  cpp: 'c',
  'c++': 'c',
  h: 'c',
  golang: 'go',
  markdown: 'md',
  yml: 'yaml',
  dockerfile: 'docker',
  makefile: 'make',
  perl: 'pl',
  patch: 'diff',
};
/** More is shown as it is: nobody reads it for its colours. */
const MAX_COLOURED = 20_000;

/** Code in a message; coloured when its fence is closed, by what is loaded only then. */
export function Code({
  text,
  language,
  isClosed,
}: {
  text: string;
  language?: string | undefined;
  isClosed: boolean;
}) {
  const name =
    (language ?? '')
      .trim()
      .split(/[\s,{]/)[0]
      ?.toLowerCase() ?? '';
  const isColoured = isClosed && name !== '' && text.length <= MAX_COLOURED;
  const [, loaded] = useReducer((times: number) => times + 1, 0);
  useEffect(() => {
    if (!isColoured || highlighter) return;
    loading ??= load();
    // Without it, code stays without colours.
    loading.then(loaded, () => {});
  }, [isColoured]);
  const nodes = useMemo(
    () => (isColoured && highlighter ? coloured(highlighter, text, ALIASES[name] ?? name) : text),
    [isColoured, highlighter, text, name],
  );
  return (
    <pre dir="ltr" tabIndex={0} data-language={name === '' ? undefined : name}>
      <code>{nodes}</code>
    </pre>
  );
}

type Highlighter = Pick<typeof import('@speed-highlight/core/tokenize'), 'tokenizeWith'> &
  typeof import('./languages.ts');

/** Kept when it is there, so that what is closed later is shown with its colours at once. */
let highlighter: Highlighter | undefined;
let loading: Promise<void> | undefined;

async function load(): Promise<void> {
  const [{ tokenizeWith }, { LANGUAGES }] = await Promise.all([
    import('@speed-highlight/core/tokenize'),
    import('./languages.ts'),
  ]);
  highlighter = { tokenizeWith, LANGUAGES };
}

function coloured(
  { tokenizeWith, LANGUAGES }: Highlighter,
  text: string,
  language: string,
): ComponentChildren {
  if (!LANGUAGES[language]) return text;
  const nodes: ComponentChildren[] = [];
  const take = (piece: string, type?: string): void => {
    nodes.push(type === undefined ? piece : <span class={`syn-${type}`}>{piece}</span>);
  };
  tokenizeWith(text, language, take, { languages: LANGUAGES });
  return nodes;
}
