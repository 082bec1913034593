/** `docs/upgrade.json`: what `davit upgrade --check` of another version compares. */
import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { ENVIRONMENT } from '../../src/config.ts';
import { installationSchema } from '../../src/installation.ts';
import { MIN_MAJOR, MIN_PODMAN } from '../../src/local/doctor/engine-versions.ts';
import { TEMPORAL_VERSION } from '../../src/local/setup/temporal-binary.ts';
import { fieldsOf, type VersionFacts } from '../../src/local/upgrade/facts.ts';
import { OLDEST_BESIDES } from '../../src/version.ts';
import { VERSIONS } from '../../workflows/versions.ts';

export function upgradeFacts(): string {
  const schema = z.toJSONSchema(installationSchema, { io: 'input', unrepresentable: 'any' });
  const facts: VersionFacts = {
    version: manifest.version,
    temporal: TEMPORAL_VERSION,
    engines: { docker: MIN_MAJOR, podman: MIN_PODMAN },
    besides: OLDEST_BESIDES,
    workflows: Object.values(VERSIONS).map(({ id }) => id),
    settings: fieldsOf(schema as Parameters<typeof fieldsOf>[0]),
    environment: ENVIRONMENT.flatMap(({ names }) => names),
  };
  return `${JSON.stringify(facts, undefined, 2)}\n`;
}
