import { defineConfig } from 'vitest/config';

/** Threads, not isolated: the tests keep no state outside what they make (see CONTRIBUTING.md). */
export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'threads',
    isolate: false,
    // Vitest leaves a core free unless told; tests that wait for other processes would idle beside it.
    maxWorkers: 2,
    // Compilers and whole devices on a machine that has other work to do.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What is polled for comes, or the test's own time ends: a second is nothing on such a machine.
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default', './scripts/counts-reporter.ts'],
  },
});
