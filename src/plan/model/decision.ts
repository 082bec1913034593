/** What a person decides about a job, and the reply. */
import type { JobKey } from './ids.ts';
import type { DecisionProof } from './proof.ts';

/** Updates of a pipeline; each takes a Decision and returns a DecisionAnswer. */
export const UPDATES = { play: 'play', reject: 'reject', retry: 'retry', cancelJob: 'cancelJob' } as const;
export type UpdateName = keyof typeof UPDATES;

/**
 * An authenticated person decides about a job. The server has checked the identity; the workflow checks the
 * permission.
 */
export interface Decision {
  action: UpdateName;
  job: JobKey;
  actor: string;
  role: 'reader' | 'developer' | 'operator' | 'temporal';
  comment?: string;
  /** The actor has confirmed the job's confirmation text. */
  confirm?: boolean;
  /**
   * From the project, to stop an environment: when that was deployed (epoch ms). Its job may have ended
   * before.
   */
  stops?: number;
  /** For an approval: what exactly was approved, set by the workflow. */
  binds?: { sha: string; plan: string; environment?: string; images?: string[] };
  /** For a deploy job: digest of its target's entry in the installation file, set by the server. */
  target?: string;
  /** Set by the server; not recorded. */
  proof?: DecisionProof;
  /** Epoch ms, set by the workflow. */
  at?: number;
  /** The result, set by the workflow: accepted, or the conflict. */
  answer?: string;
}
export const DECISION_CODES = [
  'gate/not-an-approver',
  'gate/expired',
  'gate/not-ready',
  'job/not-playable',
  'job/not-found',
  'job/decided',
  'job/unconfirmed',
  'decision/unproven',
] as const;
export type DecisionCode = (typeof DECISION_CODES)[number];
/**
 * An Update's validator refuses with an ApplicationFailure of type DecisionCode, and nothing is recorded; a
 * decision that is too late or second is recorded and returned. `decide` in `src/temporal/calls.ts` makes one
 * result of both.
 */
export type DecisionAnswer =
  | { accepted: true; message: string }
  | { accepted: false; code: DecisionCode; message: string };
