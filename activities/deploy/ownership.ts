/**
 * Whether davit owns the service at the target. A service that davit did not create for the project is not
 * changed unless the operator allows adoption. Adoption happens once, for one project, and a record names the
 * time and the deployment.
 */
import type { TargetState } from '../../src/adapters/ports.ts';
import { takeoverRefusal, type TargetRules } from '../../src/match/deploy-permission.ts';
import { adoptionRecordName, type AdoptionRecord } from '../../src/plan/model/records.ts';
import type { DeploySpec } from '../../src/plan/model/spec.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import type { DeployInput } from '../contract.ts';
import type { AttemptLog } from '../runtime/log/plain-log.ts';
import type { DeployDeps } from './common.ts';

/** A target that the installation file does not list has the defaults. */
export const rulesOf = ({ facts, target }: DeployDeps): TargetRules & { adopt?: boolean } =>
  facts.config.targets.find((one) => one.name === target.name) ?? { name: target.name };

/** The reason why the service is not changed; undefined if it may be replaced. */
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
