import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/fixtures/install-programs.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // On a machine that has much else to do; where all is well nothing waits as long.
    expect: { poll: { timeout: 20_000 } },
    // Many tests start servers of their own; more files at once than cores only make them wait.
    maxWorkers: 2,
  },
});
