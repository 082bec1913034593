/**
 * Tells the control worker what has changed, which passes it on to the server (`Change`). By a sink of the SDK: it
 * leaves nothing in the history, and a replay tells nothing.
 */
import { proxySinks, type Sinks } from '@temporalio/workflow';
import type { Change } from '../src/plan/model/protocol.ts';

export interface ChangeSinks extends Sinks {
  changes: { tell(change: Change): void };
}

const { changes } = proxySinks<ChangeSinks>();

export const tellChange = (change: Change): void => changes.tell(change);
