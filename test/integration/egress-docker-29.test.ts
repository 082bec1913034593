/** What jobs reach on Docker 29, whose firewall is iptables or nftables, and whose networks have IPv6 here. */
import { containerdPart, docker29Part, nftablesPart } from '../parts/engine-parts.ts';
import { describeWithParts } from '../parts/with-parts.ts';
import { findsNoMore } from '../support/egress-machine.ts';

const PARTS = [docker29Part, containerdPart];
const IPV6 = { 'default-network-opts': { bridge: { 'com.docker.network.enable_ipv6': 'true' } } };

await describeWithParts(
  'Docker 29 with its firewall of nftables',
  [...PARTS, nftablesPart],
  (folders) => {
    const config = { ...IPV6, 'firewall-backend': 'nftables' };
    findsNoMore({ program: 'nft', options: { config }, ipv6: true }, folders);
  },
  { root: true },
);
await describeWithParts(
  'Docker 29, by iptables',
  PARTS,
  (folders) => {
    const options = { config: IPV6, without: ['/usr/sbin/nft'] };
    findsNoMore({ program: 'iptables', options, ipv6: true }, folders);
  },
  { root: true },
);
