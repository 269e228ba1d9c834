import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

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
  const [colours, setColours] = useState<{ of: string; nodes: ComponentChildren } | undefined>(undefined);
  const name =
    (language ?? '')
      .trim()
      .split(/[\s,{]/)[0]
      ?.toLowerCase() ?? '';
  useEffect(() => {
    if (!isClosed || name === '' || text.length > MAX_COLOURED) return undefined;
    let isWanted = true;
    colour(text, ALIASES[name] ?? name).then(
      (nodes) => isWanted && setColours({ of: text, nodes }),
      // A language that it doesn't know stays without colours.
      () => {},
    );
    return () => {
      isWanted = false;
    };
  }, [isClosed, text, name]);
  return (
    <pre dir="ltr" tabIndex={0} data-language={name === '' ? undefined : name}>
      <code>{colours?.of === text ? colours.nodes : text}</code>
    </pre>
  );
}

async function colour(text: string, language: string): Promise<ComponentChildren> {
  const [{ tokenizeWith }, { LANGUAGES }] = await Promise.all([
    import('@speed-highlight/core/tokenize'),
    import('./languages.ts'),
  ]);
  if (!LANGUAGES[language]) return text;
  const nodes: ComponentChildren[] = [];
  const take = (piece: string, type?: string): void => {
    nodes.push(type === undefined ? piece : <span class={`syn-${type}`}>{piece}</span>);
  };
  tokenizeWith(text, language, take, { languages: LANGUAGES });
  return nodes;
}
