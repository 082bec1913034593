/** In GitLab's order of evaluation. `compile_error`: the file could not be planned. */
export type PipelineState =
  | 'created'
  | 'running'
  | 'waiting_for_resource'
  | 'manual'
  | 'scheduled'
  | 'success'
  | 'failed'
  | 'canceled'
  | 'skipped'
  | 'config_error';
export const FINAL_STATES: readonly PipelineState[] = [
  'success',
  'failed',
  'canceled',
  'skipped',
  'config_error',
];
