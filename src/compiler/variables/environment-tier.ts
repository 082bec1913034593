import type { EnvironmentTier } from '../../plan/model/plan.ts';

/** GitLab's patterns, in its order. */
const TIERS: readonly (readonly [RegExp, EnvironmentTier])[] = [
  [/dev|review|trunk/i, 'development'],
  [/test|tst|int|accept|acpt|qa|qc|control|quality/i, 'testing'],
  [/sta?g|mode?l|pre|demo|non/i, 'staging'],
  [/pro?d|live/i, 'production'],
];

export const tierOf = (name: string): EnvironmentTier =>
  TIERS.find(([pattern]) => pattern.test(name))?.[1] ?? 'other';
