/** How processes of davit keep their memory small. Measured by `npm run bench`. */
import { join } from 'node:path';
import type { Settings } from '../../config.ts';

/**
 * V8 lets its young generation grow to 16 MB a half and its heap to twice of what is used, and keeps both. davit's work is
 * short-lived and small: that memory is there for nothing, and the price is a few more collections.
 */
export const SMALL_HEAP = ['--optimize-for-size', '--max-semi-space-size=2'] as const;

/**
 * For a Node process of davit. The cache of compiled modules has to be known before the first one is read: taking the types off
 * a single module loads a compiler of 15 MB. glibc gives each thread a heap of its own and returns little of it: two are enough.
 */
export const nodeEnvironment = (settings: Pick<Settings, 'cache'>): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(settings.cache, 'compiled'),
  MALLOC_ARENA_MAX: '2',
});
