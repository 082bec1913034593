import { log } from '@temporalio/activity';
import type { TargetState } from '../../src/adapters/ports.ts';
import type { DeployedState } from '../../src/plan/model/outcome.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import type { DeployActivities, DeployInput } from '../contract.ts';
import {
  deployRecord,
  openSnapshot,
  storesWithRetry,
  stateOf,
  targetText,
  type DeployDeps,
} from './common.ts';
import { untilSettled } from './watch.ts';
import { withHeartbeat } from '../runtime/heartbeat.ts';
import { retryThroughOutage } from '../runtime/retry-policies.ts';
import { readSpec } from '../runtime/spec.ts';
import { throwIfEnded } from '../runtime/failures.ts';

type RollbackInput = DeployInput & { previous?: string; newSeq: number };

/** The rollback's own id: a second call finds it at the target and changes nothing. */
export const rollbackId = (deployId: string): string => `${deployId}+rollback`;

/**
 * Rolls back: restores what a deployment replaced, once, as a new deployment, and returns the state of the
 * target. `workflows/job/deploy-attempt.ts` decides when. A first deployment replaced nothing, so its service
 * is removed. `unchanged`: there was nothing to undo, the file has `on_failure: pause`, or the target has a
 * newer deployment. `unknown`: the rollback was requested and has not settled.
 */
export function makeRollbackDeploy(deps: DeployDeps): DeployActivities['rollbackDeploy'] {
  return (input) =>
    withHeartbeat({ host: `deploy-${deps.target.name}` }, async (signal) => {
      try {
        return await rollback(storesWithRetry(deps, signal), input, signal);
      } catch (error) {
        throwIfEnded();
        throw error;
      }
    });
}

async function rollback(deps: DeployDeps, input: RollbackInput, signal: AbortSignal): Promise<DeployedState> {
  const spec = await readSpec(deps.blobs, input.spec, 'deploy');
  const service = spec.swarm.service;
  const id = { deployId: rollbackId(input.deployId), seq: input.newSeq };
  const read = () =>
    retryThroughOutage({ codes: ['target/unreachable'], signal }, () => deps.target.read(service));
  const now = await read();
  const record = await deployRecord(deps, input.deployId);
  const previous = input.previous ?? record?.previous;
  const first = record !== undefined && previous === undefined;
  if (first && !now.exists) return stateOf({ deps, spec }, id, { image: '', state: 'rolled_back' });
  const done = now.deployIds.includes(id.deployId);
  const ours = now.exists && now.deployIds.includes(input.deployId);
  if (!done && (!ours || now.seq > input.seq || spec.swarm.update.onFailure === 'pause')) {
    log.info('nothing rolled back', { service, target: deps.target.name, state: targetText(now) });
    return stateOf({ deps, spec }, input, { ...standing(now), state: 'unchanged' });
  }
  // Without its record it is unknown whether the deployment was the first. Leaving a service is better than
  // removing it on a guess.
  if (previous === undefined && !first)
    return stateOf({ deps, spec }, input, { ...standing(now), state: 'unknown' });
  const snapshot = previous === undefined ? undefined : await openSnapshot(deps, previous);
  if (!done)
    await retryThroughOutage({ codes: ['target/unreachable'], signal }, () =>
      deps.target.restore(service, snapshot, {
        ...id,
        authFor: (image) =>
          deps.registries.authForTarget(image, { project: spec.project, target: spec.target }),
      }),
    );
  return settled(deps, spec, { id, removed: snapshot === undefined, signal });
}

async function settled(
  deps: DeployDeps,
  spec: DeploySpec,
  what: { id: { deployId: string; seq: number }; removed: boolean; signal: AbortSignal },
): Promise<DeployedState> {
  const seen = await untilSettled(deps, {
    service: spec.swarm.service,
    ...what.id,
    leftMs: spec.swarm.convergeTimeoutMs,
    signal: what.signal,
  });
  const good = what.removed ? seen.how === 'gone' : seen.how === 'converged';
  log.info('rolled back', { service: spec.swarm.service, state: targetText(seen.now) });
  return stateOf({ deps, spec }, what.id, {
    ...standing(seen.now),
    state: good ? 'rolled_back' : 'unknown',
  });
}

/** What the job's message says about the target. */
const standing = ({ image = '', pipeline }: TargetState): Pick<DeployedState, 'image' | 'pipeline'> => ({
  image,
  ...(pipeline && { pipeline }),
});
