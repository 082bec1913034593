import { expect, test } from 'vitest';
import { readFacts } from '../../../../src/adapters/http/facts.ts';
import { installationSchema } from '../../../../src/installation.ts';

const facts = (config: object): unknown =>
  JSON.parse(JSON.stringify({ installation: 'i', url: 'u', config }));

test('a worker that is newer than its server uses defaults for facts that the server does not send', () => {
  const { includes: _includes, ...known } = installationSchema.parse({ limits: { release_delay: '3s' } });
  const { deploy_stable: _stable, cleanup_every: _every, ...limits } = known.limits;
  const { config } = readFacts(facts({ ...known, limits, helper_image: 'h:1' }));
  expect(config.limits).toMatchObject({ deploy_stable: 5_000, cleanup_every: 60_000, release_delay: 3_000 });
  expect(config.includes).toEqual(installationSchema.parse({}).includes);
  expect(config.helper_image).toBe('h:1');
});
