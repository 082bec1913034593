import { setTimeout as pause } from 'node:timers/promises';
import type { TargetState } from '../src/adapters/ports.ts';
import { DavitError } from '../src/errors.ts';
import type { DeploySpec } from '../src/plan/spec.ts';
import type { ApplyOutput, DeployActivities, DeployInput } from './contract.ts';
import {
  deployRecord,
  keepSnapshot,
  recordName,
  stateOf,
  targetText,
  type DeployDeps,
  type DeployRecord,
} from './deploy-common.ts';
import { deployedImage } from './ship/image.ts';
import { ended, endedBy, living, throwIfEnded } from './ship/life.ts';
import { openShipLog, type ShipLog } from './ship/log.ts';
import { throughOutage } from './ship/outage.ts';
import { readSpec } from './ship/spec.ts';

/** A swarm raises the service's version itself while it rolls out: such a conflict is read again and decided again. */
const MAX_CONFLICTS = 20;

/**
 * Asks the target for one deployment, at most once however often it is called. Invariants: A1 the target is read first; an
 * id that stands there, in the service or any task, means applied. A2 a higher sequence number there means outdated, and
 * nothing is written. A3 what would be replaced is in the store before it is replaced. A4 a write is conditional on the
 * version that was decided on.
 */
export function makeApplyDeploy(deps: DeployDeps): DeployActivities['applyDeploy'] {
  return (input) =>
    living({ host: `deploy-${deps.target.name}`, timeoutMs: input.timeoutMs }, async (signal) => {
      const startedAt = Date.now();
      const log = await openShipLog(deps.logs, input.ref, { maxBytes: deps.facts.config.limits.log_bytes });
      try {
        const answer = await apply(deps, input, { signal, log });
        await log.flush();
        return answer;
      } catch (error) {
        throwIfEnded();
        const result = endedBy(error);
        log.line(result.message ?? '');
        const summary = await log.end();
        return { kind: 'failed', result: { ...result, startedAt, endedAt: Date.now(), log: summary } };
      }
    });
}

interface Run {
  signal: AbortSignal;
  log: ShipLog;
}

async function apply(deps: DeployDeps, input: DeployInput, run: Run): Promise<ApplyOutput> {
  const spec = await readSpec(deps.blobs, input.spec, 'deploy');
  if (spec.fork)
    return { kind: 'failed', result: ended('failed', 'config', 'A pipeline of a fork may not deploy.') };
  if (spec.target !== deps.target.name)
    throw new DavitError(
      'deploy/unknown-target',
      `This worker deploys to ${deps.target.name}, not to ${spec.target}.`,
    );
  const image = await deployedImage(spec, input, deps.registries);
  for (let round = 1; round <= MAX_CONFLICTS; round++) {
    const decided = await throughOutage(
      { codes: ['target/unreachable'], signal: run.signal, onRetry: (error) => run.log.line(error.message) },
      () => attempt(deps, input, { spec, image, log: run.log }),
    );
    if (decided) return decided;
    run.log.line('The service was changed meanwhile; reading it again.');
    await pause(Math.min(250 * round, 2_000), undefined, { signal: run.signal });
  }
  throw new DavitError(
    'target/refused',
    `${spec.swarm.service} changed under ${MAX_CONFLICTS} attempts to update it; nothing was deployed.`,
    { hint: 'See what else changes this service, then retry the job.' },
  );
}

/** Reads, decides, writes; undefined asks for another round. */
async function attempt(
  deps: DeployDeps,
  input: DeployInput,
  what: { spec: DeploySpec; image: string; log: ShipLog },
): Promise<ApplyOutput | undefined> {
  const { spec, image, log } = what;
  const now = await deps.target.read(spec.swarm.service);
  const state = (name: 'unknown' | 'unchanged') => stateOf(deps, spec, input, { image, state: name });
  if (now.deployIds.includes(input.deployId)) {
    const record = await deployRecord(deps, input.deployId);
    log.line(`This deployment stands at ${deps.target.name} already.`);
    return { kind: 'already', state: state('unknown'), previous: record?.previous };
  }
  if (now.seq > input.seq) return outdated(deps, input, { spec, now, log });
  log.line(`${deps.target.name}: service ${spec.swarm.service}: ${targetText(now)}.`);
  const record: DeployRecord = {
    deployId: input.deployId,
    image,
    appliedAt: Date.now(),
    previous: await keepSnapshot(deps, now.snapshot),
  };
  await deps.records.put(recordName(deps.target.name, input.deployId), record);
  const answer = await deps.target.apply({
    deployId: input.deployId,
    seq: input.seq,
    image,
    spec: spec.swarm,
    labels: labels(spec, input),
    auth: await deps.registries.authFor(image),
  });
  if (answer === 'conflict') return undefined;
  if (answer === 'outdated') return outdated(deps, input, { spec, now, log });
  log.line(`Deploying ${image} as ${input.deployId}, sequence ${input.seq}.`);
  return { kind: answer, state: state('unknown'), previous: record.previous };
}

function outdated(
  deps: DeployDeps,
  input: DeployInput,
  what: { spec: DeploySpec; now: TargetState; log: ShipLog },
): ApplyOutput {
  what.log.line(
    `A newer deployment (sequence ${what.now.seq}) stands at ${deps.target.name}; nothing was changed.`,
  );
  const state = stateOf(deps, what.spec, input, { image: what.now.image ?? '', state: 'unchanged' });
  return { kind: 'outdated', state };
}

/** Never `davit.job.*`: those would make a janitor take the service's containers for a job's. */
const labels = (spec: DeploySpec, input: DeployInput): Record<string, string> => ({
  'davit.deploy.pipeline': input.ref.pipeline,
  'davit.deploy.job': input.ref.job,
  'davit.deploy.sha': spec.sha,
  ...(spec.environment ? { 'davit.deploy.environment': spec.environment.name } : {}),
});
