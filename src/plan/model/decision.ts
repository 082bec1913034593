/** What a person decides about a job, and what he is answered. */
import type { JobKey } from './ids.ts';
import type { UpdateName } from './protocol.ts';

/** Somebody authenticated decides about a job. The server has checked who it is; the workflow checks that he may. */
export interface Decision {
  action: UpdateName;
  job: JobKey;
  actor: string;
  role: 'reader' | 'developer' | 'operator' | 'temporal';
  comment?: string;
  /** The actor has read the job's confirmation text, and means it. */
  confirm?: boolean;
  /** From the project, which stops an environment: when that was deployed (epoch ms). Its job may have ended before. */
  stops?: number;
  /** Of an approval of a protected environment: what exactly was approved, set by the workflow. */
  binds?: { sha: string; plan: string; environment?: string };
  /** Epoch ms, set by the workflow. */
  at?: number;
  /** What became of it, set by the workflow: accepted, or the conflict. */
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
] as const;
export type DecisionCode = (typeof DECISION_CODES)[number];
/**
 * An Update's validator refuses with an ApplicationFailure of type DecisionCode, and nothing is recorded; what comes too late
 * or second is recorded and answered. `src/temporal/calls.ts` `decide` makes one answer of both.
 */
export type DecisionAnswer =
  | { accepted: true; message: string }
  | { accepted: false; code: DecisionCode; message: string };
