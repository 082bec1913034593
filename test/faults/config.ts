/** The installation file of a world. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HELPER_IMAGE } from '../support/engine.ts';
import type { Profile } from './profile.ts';

export interface WorldConfig {
  home: string;
  profile: Profile;
  /** The secret that signs the forge's deliveries. */
  hookSecret: string;
  /** Path of the repository in the forge's deliveries. */
  repository: string;
  registryHost: string;
  /** Where the control worker reaches the forge's API. */
  forgeUrl: string;
  /** The address of the deploy target's engine. */
  target: string;
}

export function writeConfig(of: WorldConfig): void {
  const { home, profile, hookSecret, repository, registryHost, forgeUrl, target } = of;
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
      {
        name: 'told',
        forge: 'gitea',
        forge_url: forgeUrl,
        forge_token: `file:${secret}`,
        repository: 'group/told',
      },
    ],
    targets: [{ name: 'prod', docker: target }],
    registries: [{ host: registryHost, insecure: true, default: true }],
    limits: profile.limits,
  };
  writeFileSync(join(home, 'davit.config.yml'), stringify(config));
}
