import { useEffect, useState } from 'preact/hooks';
import { followTalk, type Talk } from './talk.ts';

/** A talk, followed as long as it is shown. Undefined at first. */
export function useTalk(id: string): Talk | undefined {
  const [talk, setTalk] = useState<Talk | undefined>(undefined);
  useEffect(() => {
    const ending = new AbortController();
    setTalk(followTalk(id, ending.signal));
    return () => ending.abort();
  }, [id]);
  return talk?.id === id ? talk : undefined;
}
