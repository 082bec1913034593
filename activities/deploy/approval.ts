/** Whether people still approve of a deployment, in the moment before it is written: its queue may have been long. */
import { targetText } from '../../src/match/deploy-permission.ts';
import type { ApprovalQuestion } from '../../src/plan/model/approval.ts';
import type { JobResult } from '../../src/plan/model/outcome.ts';
import { sha256 } from '../../src/utils/sha256.ts';
import { ended } from '../runtime/outcome.ts';
import type { DeployDeps } from './common.ts';

/** Undefined when it may go ahead. Kind `approval` makes the job ask again; nothing was started. */
export async function lostApproval(
  { rights, facts, target }: Pick<DeployDeps, 'rights' | 'facts' | 'target'>,
  question: ApprovalQuestion,
): Promise<JobResult | undefined> {
  const answer = await rights.approvals(question);
  if (answer.verdict === 'ask') return { ...ended('failed', 'approval', answer.reason), started: false };
  const own = sha256(targetText(facts.config.targets.find((one) => one.name === target.name)));
  const why =
    answer.verdict === 'refused'
      ? answer.reason
      : `The deploy worker of ${target.name} has an older entry of its target than the server. Restart the worker, then retry the job.`;
  const stands = answer.verdict === 'stands' && (answer.target === undefined || answer.target === own);
  return stands ? undefined : { ...ended('failed', 'config', why), started: false };
}
