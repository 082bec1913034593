/** Whether ssh logs in without a prompt. */
import type { SshAddress } from './address.ts';
import { hostAlias } from './host-keys.ts';
import { SshTunnel } from './ssh.ts';

/** Rejects with `engine/untrusted` or `engine/unreachable`. */
export async function checkLogin(of: {
  address: SshAddress;
  shown: string;
  /** Has the key of the machine. */
  pinnedHosts: string;
}): Promise<void> {
  const { address, shown, pinnedHosts } = of;
  const keys = { knownHosts: pinnedHosts, hostKeyAlias: hostAlias(address) };
  const tunnel = await SshTunnel.create({ address, shown, reversePorts: [], ...keys });
  try {
    await tunnel.assure();
  } finally {
    await tunnel.close();
  }
}
