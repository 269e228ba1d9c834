import { onTestFinished } from 'vitest';
import { LocalRunner } from '../../src/runner/local.ts';
import { UNLIMITED } from '../fixtures/owner.ts';
import { describeRunner } from './runner.ts';

describeRunner('of one process', (parts) => {
  const runner = new LocalRunner({ ...UNLIMITED, ...parts, unfinished: async () => [] });
  onTestFinished(() => runner.drain());
  return runner;
});
