import { defineConfig } from 'vitest/config';

/**
 * `unit`: pure, in parallel. `real`: with Temporal, Docker, registry and swarm; one file at a time, because they share one
 * engine and two cores, and a time that a test measures should be its own. `forge`: one Gitea and one davit for all files.
 * `bed`: machines in namespaces, joined as a fleet.
 */
export default defineConfig({
  test: {
    reporters: ['default'],
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          globalSetup: ['test/support/tidy.ts'],
          include: ['test/unit/**/*.test.ts', 'test/security/**/*.test.ts', 'test/architecture/**/*.test.ts'],
          // Properties take a second or two; a machine that is busy with other things takes much longer.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'real',
          globalSetup: ['test/support/tidy.ts'],
          include: ['test/integration/**/*.test.ts', 'test/scenarios/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'forge',
          globalSetup: ['test/support/tidy.ts', 'test/forge/support/setup.ts'],
          include: ['test/forge/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'bed',
          globalSetup: ['test/support/tidy.ts'],
          include: ['test/bed/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
