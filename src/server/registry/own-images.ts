/** The server's own way into davit's registry: it signs its tokens itself, with an operator's rights. */
import type { OwnImages } from '../../adapters/ports.ts';
import type { InstallationFacts } from '../../installation-facts.ts';
import { wireOwnImages } from '../../wiring-server.ts';
import type { OwnRegistry } from '../deps.ts';
import { granted } from '../routes/registry-token.ts';

const OPERATOR = { kind: 'user', role: 'operator' } as const;

export function ownImages({ host, signer }: OwnRegistry, facts: () => InstallationFacts): OwnImages {
  const { registries, projects } = facts().config;
  const known = registries.find((one) => one.host === host);
  return wireOwnImages({
    host,
    insecure: known?.insecure ?? false,
    caFile: known?.ca_file,
    sign: (scope) => signer.sign('davit', granted(OPERATOR, [scope], { host, projects })).token,
  });
}
