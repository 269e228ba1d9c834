import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/fixtures/install-programs.ts'],
    // For a machine that has much else to do; where all is well nothing waits as long.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    // Many tests start servers of their own; more files at once than cores only make them wait.
    maxWorkers: 2,
  },
});
