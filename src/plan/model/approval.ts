/** Whether what people approved still stands when the job begins: what is asked of the server, and what it answers. */
import type { Decision } from './decision.ts';
import type { JobKey, ProjectSlug } from './ids.ts';
import type { Gate } from './plan.ts';

export interface ApprovalQuestion {
  project: ProjectSlug;
  job: JobKey;
  environment?: string;
  /** Who has started the pipeline. */
  startedBy: string;
  /** Who has started those that it runs again. */
  startedBefore?: readonly string[];
  ref: string;
  /** Absent in plans of earlier versions. */
  protectedRef?: boolean;
  fork: boolean;
  local?: boolean;
  /** The deploy target's name. */
  target?: string;
  /** The gate as it was asked. */
  gate: Gate;
  /** The approvals that opened it, of what is about to run. */
  approvals: Approval[];
}
export type Approval = Pick<Decision, 'actor' | 'role' | 'target'>;

export type ApprovalAnswer =
  /** `target`: digest of the target's entry, as in a decision. */
  | { verdict: 'stands'; target?: string }
  /** By the rules of now, which are in `gate`. */
  | { verdict: 'ask'; reason: string; gate: Gate }
  | { verdict: 'refused'; reason: string };
