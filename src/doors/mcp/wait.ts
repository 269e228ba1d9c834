import type { ConversationLog } from '../../conversation/log/log.ts';
import type { LiveFeed } from '../../conversation/stream/live.ts';

/**
 * Waits until a conversation has ended or is gone, or the time is over, or the signal is given. It listens before it
 * asks, so that no end falls between the two.
 */
export async function untilEnded(
  { live, log }: { live: LiveFeed; log: Pick<ConversationLog, 'isTerminated'> },
  id: string,
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  const over = AbortSignal.any([AbortSignal.timeout(milliseconds), signal]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onOver = (): void => resolve();
  over.addEventListener('abort', onOver, { once: true });
  if (over.aborted) onOver();
  const look = async (): Promise<void> => {
    try {
      if ((await log.isTerminated(id)) !== false) resolve();
    } catch (error) {
      reject(error);
    }
  };
  const following = live.follow(id, (item) => {
    if (item === 'behind') void look();
    else if (item === 'removed' || ('type' in item && item.type === 'conversation.terminated')) resolve();
  });
  following.then(look, reject);
  try {
    await promise;
  } finally {
    over.removeEventListener('abort', onOver);
    void following.then(
      ({ stop }) => stop(),
      () => {},
    );
  }
}
