/** Applies the deployment rules of the installation file to the plan: refuses jobs, and adds gates. */
import type { CompiledJob } from '../../src/compiler/request.ts';
import { isLocalOperator } from '../../src/compiler/variables/installation.ts';
import type { InstallationProject } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import {
  deployRefusal,
  environmentProtection,
  type DeployAsk,
  type EnvironmentProtection,
} from '../../src/match/deploy-permission.ts';
import type { Gate } from '../../src/plan/model/plan.ts';
import type { Trigger } from '../../src/plan/model/trigger.ts';

interface Permissions {
  facts: InstallationFacts;
  project: InstallationProject;
  trigger: Trigger;
  protectedRef: boolean;
}

export function permitted(compiled: CompiledJob, permissions: Permissions): CompiledJob {
  const { job, spec } = compiled;
  const { facts, project, trigger, protectedRef } = permissions;
  // `davit run` deploys the working tree, from any branch, where `protected` is the rule.
  const local = isLocalOperator(trigger);
  const ask: DeployAsk = { project: project.name, ref: trigger.ref, protectedRef, fork: trigger.fork, local };
  const target =
    spec.kind === 'deploy' ? facts.config.targets.find((one) => one.name === spec.target) : undefined;
  const refused =
    spec.kind === 'deploy' &&
    deployRefusal(target ?? { name: spec.target }, { ...ask, places: compiled.places }, spec.swarm);
  const environment = job.environment?.name;
  const protection =
    environment === undefined
      ? undefined
      : environmentProtection(project.environments ?? {}, environment, ask);
  const refusal = refused || protection?.refusal;
  const gate = protection && guardedGate(job.gate, protection, permissions);
  return {
    job: { ...job, ...(gate && { gate }), ...(refusal && { refused: refusal }) },
    spec,
  };
}

/** The file's own gate stays; the installation adds to it. */
function guardedGate(
  written: Gate | undefined,
  { approvals, fourEyes }: EnvironmentProtection,
  { facts, trigger }: Permissions,
): Gate | undefined {
  if (approvals.length === 0) return written;
  const gate = written ?? { approvers: [], expiresInMs: facts.config.limits.gate_expiry, requires: [] };
  return {
    ...gate,
    protection: {
      approvals,
      ...(fourEyes && { notBy: [trigger.actor, ...(trigger.startedBefore ?? [])] }),
      ...(written && { written: true }),
    },
  };
}
