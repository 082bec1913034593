/**
 * Durations: short for the tests, literal for `npm run faults -- --literal`. Every duration of a row is
 * defined here.
 */
export interface Profile {
  name: 'short' | 'literal';
  /** `limits` of the installation file. */
  limits: Record<string, string | number>;
  /** As in `limits`. */
  heartbeatMs: number;
  /** How long Temporal gives tasks to a stalled worker; as in production below the heartbeat timeout. */
  pollExpiry: string;
  hostGraceMs: number;
  cleanupAgeMs: number;
  /** Maximum wait for a result after the fault is over; the end of a pipeline may take twice that. */
  waitMs: number;
  /** I5: a pipeline that a row starts ends in this time, the fault in it included. */
  deadlineMs: number;
  /** Time for the janitors after everything has ended. */
  tidyMs: number;
  /** How long a process stays frozen, a network cut, Temporal down (rows 8, 13, 10). */
  frozenMs: number;
  cutMs: number;
  temporalAwayMs: number;
  registryAwayMs: number;
  storeAwayMs: number;
  /** Parallel deliveries (row 23). */
  storm: number;
  commits: number;
  /** Jobs that write as fast as they can, and for how long (row 38). */
  flood: { jobs: number; seconds: number };
  /** As in `limits`. */
  logBytes: number;
  hookFile: string;
}

const hookFile = 'hello:\n  script: [echo hello]\n';

export const SHORT: Profile = {
  name: 'short',
  limits: {
    heartbeat_timeout: '6s',
    // Longer than the start of a worker on a loaded machine of two cores.
    host_grace: '20s',
    queue_timeout: '60s',
    cancel_grace: '2s',
    release_delay: '1s',
    cleanup_every: '2s',
    cleanup_age: '2s',
    deploy_stable: '1s',
    gate_expiry: '5 min',
    log_bytes: 4 * 1_024 ** 2,
  },
  heartbeatMs: 6_000,
  pollExpiry: '5s',
  hostGraceMs: 20_000,
  cleanupAgeMs: 2_000,
  waitMs: 60_000,
  deadlineMs: 180_000,
  tidyMs: 150_000,
  frozenMs: 7_500,
  cutMs: 3_000,
  temporalAwayMs: 3_000,
  registryAwayMs: 4_000,
  storeAwayMs: 4_000,
  storm: 20,
  commits: 60,
  flood: { jobs: 4, seconds: 4 },
  logBytes: 4 * 1_024 ** 2,
  hookFile,
};

export const LITERAL: Profile = {
  name: 'literal',
  // The defaults of an installation.
  limits: {},
  heartbeatMs: 30_000,
  pollExpiry: '20s',
  hostGraceMs: 300_000,
  cleanupAgeMs: 60_000,
  // A worker that was lost is noticed in 30 s, a machine looked at again each 60 s.
  waitMs: 120_000,
  deadlineMs: 1_200_000,
  tidyMs: 240_000,
  frozenMs: 300_000,
  cutMs: 120_000,
  temporalAwayMs: 120_000,
  registryAwayMs: 60_000,
  storeAwayMs: 600_000,
  storm: 1_000,
  commits: 1_020,
  flood: { jobs: 20, seconds: 60 },
  logBytes: 16 * 1_024 ** 2,
  hookFile,
};

const FLEET_GRACE_S = 45;
/** A worker that reaches its engine over ssh starts seconds later, and is away for longer. */
export const fleetOf = (profile: Profile): Profile =>
  profile.hostGraceMs >= FLEET_GRACE_S * 1_000
    ? profile
    : {
        ...profile,
        limits: { ...profile.limits, host_grace: `${FLEET_GRACE_S}s` },
        hostGraceMs: FLEET_GRACE_S * 1_000,
        waitMs: profile.waitMs + FLEET_GRACE_S * 1_000,
      };

/** A machine that is unreachable during the longest fault is not lost yet. */
export const soakOf = (profile: Profile, pipelines: number): Profile => ({
  ...profile,
  limits: { ...profile.limits, host_grace: '60s', queue_timeout: '4 min' },
  commits: Math.max(profile.commits, pipelines),
});
