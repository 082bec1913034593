/** What forges delivered to the server, and what was made of it: for people who ask why a push started nothing. */
import type { PipelineId, ProjectSlug } from './ids.ts';
import type { PipelineState } from './pipeline-state.ts';

/** A delivery whose signature was right. Stored; bounded per project. */
export interface Delivery {
  /** Epoch ms */
  at: number;
  project: ProjectSlug;
  forge: string;
  /** As the forge names it: `push`, `pull_request`, `Push Hook`. */
  event: string;
  /** The forge's id of the delivery, or the digest of its body. */
  delivery: string;
  ref?: string;
  sha?: string;
  sender?: string;
  /** `accepted`: the project was asked for a pipeline. */
  answer: 'accepted' | 'ignored' | 'refused';
  /** Key of the event, if it was accepted. */
  key?: string;
  /** Why it was ignored or refused. */
  reason?: string;
}
/**
 * `started`: this delivery started the pipeline. `repeated`: another one of the same event did. `nothing`: the project
 * knew a newer state. `unknown`: Temporal does not respond, or has forgotten it.
 */
export type DeliveryResult =
  | 'started'
  | 'repeated'
  | 'waiting'
  | 'nothing'
  | 'ignored'
  | 'refused'
  | 'unknown';
export interface ShownDelivery extends Omit<Delivery, 'answer'> {
  result: DeliveryResult;
  pipeline?: PipelineId;
  /** Once it has ended. */
  state?: PipelineState;
}

/** Deliveries without a valid signature: counted, and nothing of them is stored. */
export interface UnsignedDeliveries {
  forge: string;
  /** That the address named, if there is such a project. */
  project?: ProjectSlug;
  count: number;
  /** Epoch ms of the last one. */
  lastAt: number;
  lastReason: 'no signature' | 'wrong signature' | 'a form and not JSON' | 'no project with a secret';
}
export interface DeliveriesPage {
  /** Newest first. */
  deliveries: ShownDelivery[];
  unsigned: UnsignedDeliveries[];
}

/** Counts of unsigned deliveries. The server alone reads and writes it. */
export const UNSIGNED_DELIVERIES_RECORD = 'deliveries/unsigned';
