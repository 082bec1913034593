/** The installation file of a world. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HELPER_IMAGE } from '../support/engine.ts';
import { socketOf } from './parts.ts';
import type { Profile } from './profile.ts';

export interface WorldConfig {
  home: string;
  profile: Profile;
  /** The secret that signs the forge's deliveries. */
  hookSecret: string;
  /** Path of the repository in the forge's deliveries. */
  repository: string;
  registryHost: string;
}

export function writeConfig({ home, profile, hookSecret, repository, registryHost }: WorldConfig): void {
  const secret = join(home, 'hook-secret');
  writeFileSync(secret, hookSecret, { mode: 0o600 });
  const config = {
    default_arch: 'amd64',
    default_image: HELPER_IMAGE,
    variables: { CANARY: { secret: 'env:DAVIT_FAULTS_CANARY', masked: true } },
    projects: [
      {
        name: 'hook',
        forge: 'gitlab',
        repository: 'group/hook',
        clone_url: `file://${repository}`,
        webhook_secret: `file:${secret}`,
      },
    ],
    targets: [{ name: 'prod', docker: `unix://${socketOf(home, 'target')}` }],
    registries: [{ host: registryHost, insecure: true, default: true }],
    limits: profile.limits,
  };
  writeFileSync(join(home, 'davit.config.yml'), stringify(config));
}
