/** The compile activity over real git and configured registries; its stores are in memory. */
import { makeCompilePipeline } from '../../activities/compile/compile-pipeline.ts';
import { gitSource } from '../../src/adapters/git/index.ts';
import type { GitProtocol } from '../../src/adapters/git/validate.ts';
import { storedCopies } from '../../src/adapters/includes/copies.ts';
import type { Forge, Includes, Rights } from '../../src/adapters/ports.ts';
import { configuredRegistries } from '../../src/adapters/registry/configured.ts';
import { deriveSealKey, localSecrets } from '../../src/adapters/secrets/index.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { wireIncludes } from '../../src/wiring.ts';
import { memoryBlobs, memoryRecords, steadyRights } from '../unit/activities/fakes.ts';

export interface CompilerOptions {
  protocols?: readonly GitProtocol[];
  /** The real ones by default. */
  includes?: Includes;
  rights?: Partial<Rights>;
  openRequests?: Forge['openRequests'];
}

export function testCompiler(facts: InstallationFacts, options: CompilerOptions = {}) {
  const blobs = memoryBlobs();
  const records = memoryRecords();
  const secrets = localSecrets({ sealKey: deriveSealKey('token of workers'), readEnv: () => undefined });
  const compile = makeCompilePipeline({
    blobs,
    records,
    facts,
    rights: { ...steadyRights, ...options.rights },
    secrets,
    source: gitSource({ protocols: options.protocols ?? ['file'] }),
    includes: options.includes ?? wireIncludes(facts, { secrets, copies: storedCopies(blobs, records) }),
    registries: configuredRegistries(facts.config.registries, secrets),
    fleet: { live: async () => [] },
    report: async () => undefined,
    forge: { openRequests: options.openRequests ?? (async () => undefined) },
  });
  return { compile, blobs, records };
}
