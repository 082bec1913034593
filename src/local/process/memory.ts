/** How processes of davit keep their memory small. Measured by `npm run bench`. */

/**
 * V8 lets its young generation grow to 16 MB a half, and keeps it. davit's work is short-lived and small, so a quarter of
 * the memory of a process is there for nothing; the price is a few more of the cheap collections.
 */
export const SMALL_HEAP = ['--max-semi-space-size=2'] as const;
/** glibc gives each thread a heap of its own, and returns little of it. */
export const ONE_ALLOCATOR = { MALLOC_ARENA_MAX: '2' } as const;
