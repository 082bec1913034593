/** How processes of davit keep their memory small. Measured by `npm run bench`. */
import { join } from 'node:path';
import type { Settings } from '../../config.ts';

/**
 * By default V8 lets its young generation grow to twice 16 MB, and keeps it. davit's work is short-lived and
 * small: the limit saves that memory and costs a few more collections. `--optimize-for-size` would save
 * another 15 MB and cost a third of davit's processor time, because it collects the whole heap far more often.
 */
export const SMALL_HEAP = ['--max-semi-space-size=2'] as const;

/**
 * For a Node process of davit. The compile cache has to be known before the first module is read: removing
 * the types of a single module loads a compiler of 15 MB. glibc gives each thread a heap of its own and
 * returns little of it: two are enough.
 */
export const nodeEnvironment = (settings: Pick<Settings, 'cache'>): Record<string, string> => ({
  NODE_COMPILE_CACHE: join(settings.cache, 'compiled'),
  MALLOC_ARENA_MAX: '2',
});
