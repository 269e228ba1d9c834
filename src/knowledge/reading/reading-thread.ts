import { parentPort } from 'node:worker_threads';
import { readDocument, type Unread } from './read.ts';
import { UnreadableError } from './unreadable.ts';

/** What the thread answers: the text with its passages, or why it can't be read. */
export type Reading = Awaited<ReturnType<typeof readDocument>> | { unreadable: string };

parentPort?.on('message', (unread: Unread) => {
  void read(unread).then((reading) => parentPort?.postMessage(reading, []));
});

async function read(unread: Unread): Promise<Reading> {
  try {
    return await readDocument(unread);
  } catch (error) {
    // Whatever it is that a reader makes of what it was given, it is what it was given.
    const why =
      error instanceof UnreadableError ? error.message : `it can't be read: ${String(error).slice(0, 200)}`;
    return { unreadable: why };
  }
}
