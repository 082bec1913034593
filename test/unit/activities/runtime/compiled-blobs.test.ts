import { expect, test } from 'vitest';
import { limitsOf } from '../../../../activities/runtime/compiled-blobs.ts';
import { installationSchema } from '../../../../src/installation.ts';

const limits = (written: object) => {
  const { users: _users, ...config } = installationSchema.parse(written);
  return limitsOf({ installation: 'i', url: 'u', config: { ...config, helper_image: 'h' } });
};

test('an installation with approvals by signal tells its workflows', () => {
  expect(limits({}).approveBySignal).toBe(false);
  expect(limits({ approve_by_signal: true }).approveBySignal).toBe(true);
});

test('timeouts of the installation file reach the workflows in ms', () => {
  expect(limits({ limits: { host_grace: '2 min', queue_timeout: 90 } })).toMatchObject({
    hostGraceMs: 120_000,
    queueTimeoutMs: 90_000,
    heartbeatTimeoutMs: 30_000,
  });
});
