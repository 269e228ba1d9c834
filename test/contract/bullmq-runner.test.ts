import { Redis } from 'ioredis';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { BullmqRunner } from '../../src/runner/bullmq/runner.ts';
import { UNLIMITED_SHARED } from '../fixtures/owner.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { describeRunner } from './runner.ts';

let redis: RedisServer;
let platforms = 0;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describeRunner('BullMQ', (parts) => {
  const runner = new BullmqRunner({
    ...UNLIMITED_SHARED,
    ...parts,
    connect: () => new Redis({ port: redis.port, maxRetriesPerRequest: null }),
    prefix: `{aic-${platforms++}}`,
    unfinished: async () => [],
  });
  onTestFinished(() => runner.drain());
  return runner;
});
