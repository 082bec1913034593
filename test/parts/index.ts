/** Every heavy part of the tests. */
import { containerdPart, docker28Part, docker29Part } from './engine-parts.ts';
import type { Part } from './part.ts';

/** Needed by `npm test`. */
export const TEST_PARTS: readonly Part[] = [containerdPart, docker29Part];
/** Needed by `npm run test:engines` alone. */
export const ENGINE_PARTS: readonly Part[] = [containerdPart, docker28Part, docker29Part];
