/** Whether approvals still stand, by the users, rights and environments that the installation file has now. */
import type { ApprovalAnswer, ApprovalQuestion } from '../plan/model/approval.ts';
import { deployQueue } from '../plan/model/queues.ts';
import type { PipelineStatus } from '../plan/model/protocol.ts';
import { standing } from '../plan/policy/approval-standing.ts';
import { projectNamed } from '../compiler/variables/installation.ts';
import { environmentProtection, targetText } from '../match/deploy-permission.ts';
import type { InstallationFacts } from '../installation-facts.ts';
import { sha256 } from '../utils/sha256.ts';
import type { ServerDeps } from './deps.ts';

export function approvalsNow(
  { facts, tokens }: Pick<ServerDeps, 'facts' | 'tokens'>,
  question: ApprovalQuestion,
): ApprovalAnswer {
  const { config } = facts();
  const { environment, protectedRef, ref, fork, local, project } = question;
  const rules = projectNamed({ config }, { project }).environments;
  return standing(question, {
    roleOf: tokens.roleOf,
    environment:
      environment === undefined || protectedRef === undefined
        ? undefined
        : environmentProtection(rules, environment, { project, ref, protectedRef, fork, local }),
    target: question.target === undefined ? undefined : targetDigest({ config }, question.target),
    approveBySignal: config.approve_by_signal,
  });
}

/** What an approval of this job is for, beside what its pipeline knows: the target as the file has it. */
export function targetOf(
  facts: InstallationFacts,
  status: Pick<PipelineStatus, 'jobs'>,
  job: string,
): string | undefined {
  const found = status.jobs.find((one) => one.key === job);
  if (found?.kind !== 'deploy') return undefined;
  const target = facts.config.targets.find(({ name }) => deployQueue(name) === found.queue);
  return sha256(targetText(target));
}

const targetDigest = ({ config }: Pick<InstallationFacts, 'config'>, name: string): string =>
  sha256(targetText(config.targets.find((one) => one.name === name)));
