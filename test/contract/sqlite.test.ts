import { onTestFinished } from 'vitest';
import type { LiveAnnouncer } from '../../src/conversation/stream/live.ts';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { Announced } from '../fixtures/conversations.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked } from '../fixtures/storage.ts';
import { describeFeed } from './feed.ts';
import { describeQueue } from './log.ts';
import { describeRandomly } from './random.ts';

function open(live: LiveAnnouncer) {
  const storage = openSqliteStorage(temporaryFolder(), 'a test', live);
  onTestFinished(() => storage.close());
  return asked(storage);
}

describeQueue('SQLite', open);
describeRandomly('SQLite', open);
describeFeed('SQLite', () => {
  const folder = temporaryFolder();
  let close = (): void => {};
  onTestFinished(() => close());
  return {
    open() {
      close();
      const storage = openSqliteStorage(folder, 'a test', new Announced());
      close = () => storage.close();
      return asked(storage);
    },
  };
});
