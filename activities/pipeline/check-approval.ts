import type { Rights } from '../../src/adapters/ports.ts';
import type { ControlActivities } from '../contract.ts';

/** The server has the users of now; what workers were told at their start has none. */
export const makeCheckApproval =
  ({ rights }: { rights: Pick<Rights, 'approvals'> }): ControlActivities['checkApproval'] =>
  (question) =>
    rights.approvals(question);
