/** Whether this machine limits what jobs reach, or could. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bridgePrefix, firewallName } from '../../../activities/runtime/container-names.ts';
import { readWorkerConfig } from '../../../workers/parts/worker-config.ts';
import { checkFirewall, type FirewallProgram } from '../../adapters/firewall/firewall.ts';
import type { Engine } from '../../adapters/ports.ts';
import type { Settings } from '../../config.ts';
import { DavitError } from '../../errors.ts';
import { ownConfig } from '../processes.ts';
import { ok, warn, type Finding } from './check.ts';

const NAME = 'egress of jobs';

/** The engine must have the helper image. */
export async function checkEgress(engine: Engine, settings: Settings, helperImage: string): Promise<Finding> {
  const { egress } = await readWorkerConfig(ownConfig(settings));
  if (egress === 'unfiltered') return egressFinding('unfiltered');
  const installation = await installationId(settings);
  const rules = { name: firewallName(installation), bridges: bridgePrefix(installation), reachable: [] };
  try {
    return egressFinding(await checkFirewall({ engine, installation, helperImage }, rules));
  } catch (error) {
    if (!(error instanceof DavitError) || error.code !== 'engine/firewall') throw error;
    return egressFinding({ problem: error.message });
  }
}

/** Before the first start there is none, and no rule either. */
const installationId = (settings: Settings): Promise<string> =>
  readFile(join(settings.home, 'keys', 'installation-id'), 'utf8').then(
    (text) => text.trim(),
    () => '',
  );

type FoundEgress = 'unfiltered' | { program: FirewallProgram; set: boolean } | { problem: string };

export function egressFinding(found: FoundEgress): Finding {
  if (found === 'unfiltered')
    return warn(
      NAME,
      'worker.yml says `egress: unfiltered`: every job reaches everything that this machine reaches.',
      'Take `egress: unfiltered` out of worker.yml, or list what jobs need under `egress: { allow: [...] }`.',
    );
  if ('problem' in found)
    return warn(
      NAME,
      `Jobs of forks and unprotected refs do not run on this machine, and others reach all that it reaches. ${found.problem}`,
      'Install nftables or iptables on the machine of the engine. `egress: unfiltered` in worker.yml runs such jobs all the same.',
    );
  return ok(
    NAME,
    found.set
      ? `the internet, the server, the registries and what worker.yml allows (${found.program})`
      : `can be limited by ${found.program}; a worker does it when it starts`,
  );
}
