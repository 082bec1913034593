import { expect, test } from 'vitest';
import { completeFacts, installationSchema, type InstallationFacts } from '../../../src/installation.ts';

const facts = (config: object): InstallationFacts =>
  JSON.parse(JSON.stringify({ installation: 'i', url: 'u', config })) as InstallationFacts;

test('a worker that is newer than its server has the defaults of what that server does not know', () => {
  const { includes: _includes, ...known } = installationSchema.parse({ limits: { release_delay: '3s' } });
  const { deploy_stable: _stable, cleanup_every: _every, ...limits } = known.limits;
  const { config } = completeFacts(facts({ ...known, limits, helper_image: 'h:1' }));
  expect(config.limits).toMatchObject({ deploy_stable: 5_000, cleanup_every: 60_000, release_delay: 3_000 });
  expect(config.includes).toEqual(installationSchema.parse({}).includes);
  expect(config.helper_image).toBe('h:1');
});
