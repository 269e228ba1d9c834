import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { knowledgeContract } from './knowledge.ts';

knowledgeContract('SQLite', async () => {
  const knowledge = new LocalKnowledge(join(temporaryFolder(), 'knowledge.sqlite'));
  onTestFinished(() => knowledge.close());
  return [knowledge];
});
