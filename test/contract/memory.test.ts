import { MemoryStorage } from '../../src/storage/memory.ts';
import { Announced } from '../fixtures/conversations.ts';
import { asked } from '../fixtures/storage.ts';
import { describeFeed } from './feed.ts';
import { describeQueue } from './log.ts';

describeQueue('memory', (live) => asked(new MemoryStorage(live)));
describeFeed('memory', () => {
  // Its home is the process.
  const storage = asked(new MemoryStorage(new Announced()));
  return { open: () => storage };
});
