import { setTimeout as delay } from 'node:timers/promises';
import type { TargetState } from '../../src/adapters/ports.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import type { DeployActivities, DeployInput } from '../contract.ts';
import {
  deployRecord,
  storesWithRetry,
  stateOf,
  targetText,
  DEFAULT_TIMING,
  type DeployDeps,
} from './common.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { ended, endedBy } from '../runtime/outcome.ts';
import { openAttemptLog, type AttemptLog } from '../runtime/log/plain-log.ts';
import { retryThroughOutage } from '../runtime/retry-policies.ts';
import { readSpec } from '../runtime/spec.ts';
import { durationText } from '../../src/utils/duration.ts';
import { throwIfEnded } from '../runtime/failures.ts';

/**
 * Waits until the target has converged on this deployment, or reports in the target's own words why it has
 * not. Read-only, so any worker can run it again. The convergence time is counted from when the deployment
 * was applied, not from this call.
 */
export function makeWatchDeploy(given: DeployDeps): DeployActivities['watchDeploy'] {
  return (input) =>
    withHeartbeat({ host: `deploy-${given.target.name}` }, async (signal) => {
      const deps = storesWithRetry(given, signal);
      const log = await openAttemptLog(deps.logs, input.ref, {
        maxBytes: deps.facts.config.limits.log_bytes,
      });
      const result = await watch(deps, input, { signal, log }).catch((error: unknown) => {
        throwIfEnded();
        return endedBy(error);
      });
      if (result.message) log.line(result.message);
      return {
        ...result,
        host: `deploy-${deps.target.name}`,
        startedAt: input.dispatchedAt,
        endedAt: deps.now(),
        log: await log.end(),
      };
    });
}

async function watch(
  deps: DeployDeps,
  input: DeployInput,
  run: { signal: AbortSignal; log: AttemptLog },
): Promise<JobResult> {
  const spec = await readSpec(deps.blobs, input.spec, 'deploy');
  const record = await deployRecord(deps, input.deployId);
  const leftMs = (record?.appliedAt ?? deps.now()) + spec.swarm.convergeTimeoutMs - deps.now();
  const seen = await untilSettled(deps, {
    ...run,
    service: spec.swarm.service,
    deployId: input.deployId,
    seq: input.seq,
    leftMs,
  });
  return verdict(deps, { spec, input, image: record?.image ?? seen.now.image ?? '' }, seen);
}

export type WatchOutcome = 'converged' | 'paused' | 'gone' | 'superseded' | 'timeout';
export interface ObservedState {
  how: WatchOutcome;
  now: TargetState;
}
export interface WatchRequest {
  service: string;
  deployId: string;
  seq: number;
  /** Deadline for convergence, measured by a monotonic clock. */
  leftMs: number;
  signal: AbortSignal;
  log?: AttemptLog;
}

/** Polls the target until its state is final. Converged counts only after it has lasted for `stableMs`. */
export async function untilSettled(deps: DeployDeps, wait: WatchRequest): Promise<ObservedState> {
  const timing = deps.timing ?? DEFAULT_TIMING;
  const deadline = performance.now() + wait.leftMs;
  let good: number | undefined;
  let said = '';
  for (;;) {
    const now = await retryThroughOutage({ codes: ['target/unreachable'], signal: wait.signal }, () =>
      deps.target.read(wait.service),
    );
    const text = targetText(now);
    if (text !== said) wait.log?.line(`${text}.`);
    said = text;
    const how = judge(now, wait);
    if (how !== 'moving' && how !== 'good') return { how, now };
    good = how === 'good' ? (good ?? performance.now()) : undefined;
    if (good !== undefined && performance.now() - good >= timing.stableMs) return { how: 'converged', now };
    if (performance.now() >= deadline && good === undefined) return { how: 'timeout', now };
    await delay(timing.pollMs, undefined, { signal: wait.signal });
  }
}

function judge(
  now: TargetState,
  wait: WatchRequest,
): Exclude<WatchOutcome, 'converged' | 'timeout'> | 'good' | 'moving' {
  if (!now.exists) return 'gone';
  if (now.seq > wait.seq || now.foreign) return 'superseded';
  if (now.rollout === 'paused') return 'paused';
  const rolled = now.rollout === 'none' || now.rollout === 'completed';
  const ours = now.deployIds.includes(wait.deployId);
  return rolled && ours && now.desired === now.running ? 'good' : 'moving';
}

function verdict(
  deps: DeployDeps,
  what: { spec: DeploySpec; input: DeployInput; image: string },
  seen: ObservedState,
): JobResult {
  const { spec, input, image } = what;
  const at = `${spec.swarm.service} at ${deps.target.name}`;
  const state = (name: 'converged' | 'unknown') => stateOf({ deps, spec }, input, { image, state: name });
  const own = targetText(seen.now);
  switch (seen.how) {
    case 'converged':
      return { outcome: 'succeeded', started: true, deployed: state('converged'), message: `${at}: ${own}.` };
    case 'superseded':
      return {
        ...ended(
          'skipped',
          'outdated',
          `${at} was deployed again (${seen.now.foreign ? 'by another installation' : `sequence ${seen.now.seq}`}) before it converged.`,
        ),
        deployed: state('unknown'),
      };
    case 'gone':
      return { ...ended('failed', 'rollout', `${at} is gone.`), deployed: state('unknown') };
    case 'paused':
      return { ...ended('failed', 'rollout', `${at} did not converge: ${own}.`), deployed: state('unknown') };
    case 'timeout': {
      const time = durationText(spec.swarm.convergeTimeoutMs);
      return {
        ...ended('failed', 'rollout', `${at} has not converged in ${time}: ${own}.`),
        deployed: state('unknown'),
      };
    }
  }
}
