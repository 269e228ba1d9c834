import { onTestFinished } from 'vitest';
import { LocalRunner } from '../../src/runner/local.ts';
import { describeRunner } from './runner.ts';

describeRunner('of one process', (parts) => {
  const runner = new LocalRunner({ ...parts, unfinished: async () => [] });
  onTestFinished(() => runner.drain());
  return runner;
});
