import { onTestFinished } from 'vitest';
import { openSqliteStorage } from '../../src/storage/sqlite/storage.ts';
import { Announced } from '../fixtures/conversations.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { asked } from '../fixtures/storage.ts';
import { describeSearch } from './search.ts';

describeSearch('SQLite', async () => {
  const storage = openSqliteStorage(temporaryFolder(), 'a test', new Announced());
  onTestFinished(() => storage.close());
  return { storage: asked(storage), search: storage.search, settled: async () => {} };
});
