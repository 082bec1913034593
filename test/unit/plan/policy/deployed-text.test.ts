import { expect, test } from 'vitest';
import type { DeployedState } from '../../../../src/plan/model/outcome.ts';
import { standsText } from '../../../../src/plan/policy/deployed-text.ts';

const state = (more: Partial<DeployedState>): DeployedState => ({
  target: 'prod',
  service: 'table',
  deployId: 'table/7 deploy 1+rollback',
  seq: 4,
  image: 'registry/table@sha256:aa',
  state: 'rolled_back',
  ...more,
});

test.each<[Partial<DeployedState>, string]>([
  [
    { pipeline: 'table/5' },
    'Rolled back: table at prod has registry/table@sha256:aa of pipeline table/5 again.',
  ],
  [{}, 'Rolled back: table at prod has registry/table@sha256:aa again.'],
  [{ image: '' }, 'Rolled back: table at prod was removed, because nothing was deployed before.'],
  [{ state: 'unchanged' }, 'Not rolled back: table at prod has registry/table@sha256:aa.'],
  [{ state: 'unchanged', image: '' }, 'Not rolled back: table at prod is not there.'],
  [
    { state: 'unknown', pipeline: 'table/7' },
    'The rollback has not settled: table at prod has registry/table@sha256:aa of pipeline table/7 now.',
  ],
])('%j: %s', (more, text) => {
  expect(standsText(state(more))).toBe(text);
});
