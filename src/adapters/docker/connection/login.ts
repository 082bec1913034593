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
  /** With key files alone. */
  withoutAgent?: boolean;
}): Promise<void> {
  const { address, shown, pinnedHosts, withoutAgent = false } = of;
  const keys = { knownHosts: pinnedHosts, hostKeyAlias: hostAlias(address) };
  const tunnel = await SshTunnel.create({ address, shown, reversePorts: [], withoutAgent, ...keys });
  try {
    await tunnel.assure();
  } finally {
    await tunnel.close();
  }
}
