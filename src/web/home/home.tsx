import { useEffect } from 'preact/hooks';
import { texts } from '../text/texts.ts';
import { ListView } from './list.tsx';
import { NewTalk } from './new-talk.tsx';

/** A new talk, and those that there are. */
export function HomeView() {
  useEffect(() => {
    document.title = texts.product;
  }, []);
  return (
    <main class="page home" id="content">
      <NewTalk />
      <ListView />
    </main>
  );
}
