/**
 * Whose service stands at the target. One that davit did not make for the project is left alone, unless the operator lets it be
 * taken over; then that happens once, for one project, and a record says when and by which deployment.
 */
import type { TargetState } from '../../src/adapters/ports.ts';
import { takeoverRefusal, type TargetRules } from '../../src/match/deploy-permission.ts';
import { adoptionRecordName, type AdoptionRecord } from '../../src/plan/model/records.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import type { DeployInput } from '../contract.ts';
import type { AttemptLog } from '../runtime/log/plain-log.ts';
import type { DeployDeps } from './common.ts';

/** A target that the installation file does not name has the defaults. */
export const rulesOf = ({ facts, target }: DeployDeps): TargetRules & { adopt?: boolean } =>
  facts.config.targets.find((one) => one.name === target.name) ?? { name: target.name };

/** Why the service is left alone; undefined when it may be replaced. */
export async function takeover(
  deps: DeployDeps,
  input: DeployInput,
  { spec, now, log }: { spec: DeploySpec; now: TargetState; log: AttemptLog },
): Promise<string | undefined> {
  const { project } = spec;
  const { service } = spec.swarm;
  const rules = rulesOf(deps);
  const refusal = takeoverRefusal(rules, now, { project, service });
  if (refusal !== undefined || !now.exists || now.owner === project) return refusal;
  const name = adoptionRecordName(deps.target.name, sha256(service));
  const known = await deps.records.get<AdoptionRecord>(name);
  if (known && known.project !== project)
    return `The service ${service} at ${deps.target.name} was taken over by ${known.project} already.`;
  await deps.records.put<AdoptionRecord>(name, {
    service,
    project,
    deployId: input.deployId,
    from: now.owner ?? null,
    at: deps.now(),
  });
  log.line(`Taking over the service ${service}, which davit did not make for ${project} (adopt: true).`);
  return undefined;
}
