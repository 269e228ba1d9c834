import { useEffect, useState } from 'preact/hooks';
import { followTalk, type Talk } from './talk.ts';

/** What is none is not asked for. */
export const ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** A talk, followed as long as it is shown. Undefined at first, and for what is no id. */
export function useTalk(id: string): Talk | undefined {
  const [talk, setTalk] = useState<Talk | undefined>(undefined);
  useEffect(() => {
    if (!ID.test(id)) return undefined;
    const ending = new AbortController();
    setTalk(followTalk(id, ending.signal));
    return () => ending.abort();
  }, [id]);
  return talk?.id === id ? talk : undefined;
}
