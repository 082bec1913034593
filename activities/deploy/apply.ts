import { setTimeout as delay } from 'node:timers/promises';
import type { TargetState } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import { imageRefusal } from '../../src/match/image-permission.ts';
import { deployRefusal } from '../../src/match/deploy-permission.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import type { ApplyOutput, DeployActivities, DeployInput } from '../contract.ts';
import {
  deployRecord,
  saveSnapshot,
  storesWithRetry,
  recordName,
  stateOf,
  targetText,
  type DeployDeps,
  type DeployRecord,
} from './common.ts';
import { deployedImage } from './deployed-image.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { ended, endedBy } from '../runtime/outcome.ts';
import { openAttemptLog, type AttemptLog } from '../runtime/log/plain-log.ts';
import { retryThroughOutage, retryUntilReachable } from '../runtime/retry-policies.ts';
import { lostApproval } from './approval.ts';
import { rulesOf, takeover } from './ownership.ts';
import { readSpec } from '../runtime/spec.ts';
import { throwIfEnded } from '../runtime/failures.ts';

/**
 * A swarm raises the service's version during a rollout: after such a conflict davit reads and decides again.
 */
const MAX_CONFLICTS = 20;

/**
 * Asks the target for one deployment, at most once however often it is called.
 * `workflows/job/deploy-attempt.ts` decides when.
 *
 * Invariants:
 *  APPLY-1 The target is read first; if the service or any task has this id, the deployment is applied
 *           already.
 *  APPLY-2 A higher sequence number at the target means outdated, and nothing is written.
 *  APPLY-3 The state to be replaced is stored before it is replaced.
 *  APPLY-4 A write is conditional on the version that the decision was made for.
 *  APPLY-5 See `afterError`.
 *  APPLY-6 A dispatch that is followed by another one writes nothing.
 *  APPLY-7 Nothing is written without valid approvals; a deployment that is already at the target stays.
 */
export function makeApplyDeploy(given: DeployDeps): DeployActivities['applyDeploy'] {
  return (input) =>
    withHeartbeat({ host: `deploy-${given.target.name}`, timeoutMs: input.timeoutMs }, async (signal) => {
      const deps = storesWithRetry(given, signal);
      const startedAt = deps.now();
      const log = await openAttemptLog(deps.logs, input.ref, {
        maxBytes: deps.facts.config.limits.log_bytes,
      });
      const run: Run = { signal, log, asked: false };
      const answer = await apply(deps, input, run).catch((error: unknown) =>
        afterError(deps, input, { run, error }),
      );
      if (answer.kind !== 'failed') {
        // The deployment is applied even if the log cannot be written; the watch continues.
        await log.flush().catch(() => undefined);
        return answer;
      }
      log.line(answer.result.message ?? '');
      return {
        kind: 'failed',
        result: { ...answer.result, startedAt, endedAt: deps.now(), log: await log.end() },
      };
    });
}

interface Run {
  signal: AbortSignal;
  log: AttemptLog;
  /** The request was sent, and its response has not arrived. */
  asked: boolean;
}
/** How long the target is asked for its state after the activity has to end. */
const FINAL_CHECK_MS = 20_000;

/**
 * APPLY-5. Returns "cancelled" only if nothing was applied. If the response to a request was lost, the
 * target is read; if it does not answer, an error is thrown, because the result is unknown.
 */
async function afterError(
  deps: DeployDeps,
  input: DeployInput,
  what: { run: Run; error: unknown },
): Promise<ApplyOutput> {
  const { run, error } = what;
  if (run.asked) {
    const spec = await readSpec(deps.blobs, input.spec, 'deploy');
    const now = await retryThroughOutage(
      { codes: ['target/unreachable'], signal: AbortSignal.timeout(FINAL_CHECK_MS), forMs: FINAL_CHECK_MS },
      () => deps.target.read(spec.swarm.service),
    );
    if (now.deployIds.includes(input.deployId)) return already(deps, input, spec);
  }
  throwIfEnded();
  if (error instanceof DavitError && error.code === 'log/fenced') throw error; // APPLY-6
  const result = endedBy(error);
  // A failure of a machine before the target was asked may be retried without a person.
  return {
    kind: 'failed',
    result: result.outcome === 'errored' ? { ...result, started: run.asked } : result,
  };
}

async function already(deps: DeployDeps, input: DeployInput, spec: DeploySpec): Promise<ApplyOutput> {
  const record = await deployRecord(deps, input.deployId);
  const state = stateOf({ deps, spec }, input, { image: record?.image ?? '', state: 'unknown' });
  return { kind: 'already', state, previous: record?.previous };
}

async function apply(deps: DeployDeps, input: DeployInput, run: Run): Promise<ApplyOutput> {
  const spec = await readSpec(deps.blobs, input.spec, 'deploy');
  if (spec.fork) return refused('A pipeline of a fork may not deploy.');
  if (spec.target !== deps.target.name)
    throw new DavitError(
      'deploy/unknown-target',
      `This worker deploys to ${deps.target.name}, not to ${spec.target}.`,
    );
  const rules = rulesOf(deps);
  const refusal = deployRefusal(rules, spec, spec.swarm);
  if (refusal !== undefined) return refused(refusal);
  const foreign = spec.image === undefined ? undefined : imageRefusal(spec.image, spec, deps.facts.config);
  if (foreign !== undefined) return refused(foreign);
  const image = await deployedImage(spec, input, deps.registries);
  if (typeof image !== 'string') return refused(image.refused, { refused: true });
  for (let round = 1; round <= MAX_CONFLICTS; round++) {
    const decided = await retryThroughOutage(
      { codes: ['target/unreachable'], signal: run.signal, onRetry: (error) => run.log.line(error.message) },
      () => attempt(deps, input, { spec, image, run }),
    );
    if (decided) return decided;
    run.log.line('The service was changed meanwhile; reading it again.');
    await delay(Math.min(250 * round, 2_000), undefined, { signal: run.signal });
  }
  throw new DavitError(
    'target/refused',
    `${spec.swarm.service} changed during each of ${MAX_CONFLICTS} attempts to update it; nothing was deployed.`,
    { hint: 'See what else changes this service, then retry the job.' },
  );
}

/** Nothing was written: the environment is not deployed by it. */
const refused = (message: string, more: { refused?: true } = {}): ApplyOutput => ({
  kind: 'failed',
  result: { ...ended('failed', 'config', message), started: false, ...more },
});

/** Reads, decides, writes; undefined requests another round. */
async function attempt(
  deps: DeployDeps,
  input: DeployInput,
  what: { spec: DeploySpec; image: string; run: Run },
): Promise<ApplyOutput | undefined> {
  const { spec, image, run } = what;
  const { log } = run;
  const now = await deps.target.read(spec.swarm.service);
  if (now.deployIds.includes(input.deployId)) {
    log.line(`This deployment is already on ${deps.target.name}.`);
    return already(deps, input, spec);
  }
  if (input.approval && now.seq <= input.seq && !input.onlyLook) {
    const lost = await lostApproval(deps, input.approval);
    if (lost) return { kind: 'failed', result: lost };
  }
  const taken = await takeover(deps, input, { spec, now, log });
  if (taken !== undefined) return refused(taken);
  if (now.seq > input.seq) return outdated(deps, input, { spec, now, log });
  if (input.onlyLook) return { kind: 'failed', result: { outcome: 'cancelled', started: false } };
  log.line(`${deps.target.name}: service ${spec.swarm.service}: ${targetText(now)}.`);
  const record: DeployRecord = {
    deployId: input.deployId,
    image,
    appliedAt: deps.now(),
    previous: await saveSnapshot(deps, now.snapshot),
  };
  await deps.records.put(recordName(deps.target.name, input.deployId), record);
  const auth = await deps.registries.authForTarget(image, { project: spec.project, target: spec.target });
  // APPLY-6. The store knows the epoch of the last dispatch: a worker that was frozen finds out here that it
  // was given up.
  await retryUntilReachable(run.signal, () => deps.logs.open(input.ref, input.ref.epoch));
  run.signal.throwIfAborted();
  run.asked = true;
  const answer = await deps.target.apply({
    deployId: input.deployId,
    seq: input.seq,
    image,
    spec: spec.swarm,
    labels: labels(spec, input),
    ...(now.exists && now.owner === spec.project && { owner: spec.project }),
    auth,
  });
  run.asked = false;
  if (answer === 'conflict') return undefined;
  if (answer === 'outdated') return outdated(deps, input, { spec, now, log });
  log.line(`Deploying ${image} as ${input.deployId}, sequence ${input.seq}.`);
  const state = stateOf({ deps, spec }, input, { image, state: 'unknown' });
  return { kind: answer, state, previous: record.previous };
}

function outdated(
  deps: DeployDeps,
  input: DeployInput,
  what: { spec: DeploySpec; now: TargetState; log: AttemptLog },
): ApplyOutput {
  what.log.line(
    `${deps.target.name} already has a newer deployment (sequence ${what.now.seq}); nothing was changed.`,
  );
  const state = stateOf({ deps, spec: what.spec }, input, {
    image: what.now.image ?? '',
    state: 'unchanged',
  });
  return { kind: 'outdated', state };
}

/** Never `davit.job.*`: the janitor would remove the service's containers as those of a job. */
const labels = (spec: DeploySpec, input: DeployInput): Record<string, string> => ({
  'davit.deploy.pipeline': input.ref.pipeline,
  'davit.deploy.job': input.ref.job,
  'davit.deploy.sha': spec.sha,
  ...(spec.environment ? { 'davit.deploy.environment': spec.environment.name } : {}),
});
