/**
 * What containers of jobs may reach, as rules for nft and for iptables. Pure.
 *
 *   FW-1 Only packets that come in by a bridge of the installation's jobs are looked at. Nothing of the machine's
 *        own and of other containers changes.
 *   FW-2 Both ways are covered: to the machine itself (input) and through it (forward). Ports that an engine
 *        publishes are rewritten to addresses of containers first, so an exception names the address and the port
 *        that the job has called (conntrack's original ones).
 *   FW-3 The rules stand in a table of their own (nft) or in the table mangle (iptables), where no engine writes:
 *        a restart of the engine neither removes nor precedes them.
 *   FW-4 Only refusals decide: whatever is let through here is still judged by the engine's own rules, which keep
 *        networks apart.
 */

/** `port` absent: a range of addresses behind the machine, all ports. */
export interface Reachable {
  family: 4 | 6;
  /** `10.1.0.0/16`, `10.1.2.3` */
  address: string;
  port?: number;
}
export interface EgressRules {
  /** Names the table and the chains; one for each installation. */
  name: string;
  /** Beginning of the names of its jobs' bridges. */
  bridges: string;
  reachable: readonly Reachable[];
}

/**
 * Not the internet (RFC 6890): this network, private, shared, loopback, link-local with the metadata services of
 * clouds, protocol assignments, benchmarks, multicast, reserved and broadcast.
 */
const CLOSED_4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
];
/** All but global unicast, and the part of it that holds IPv4 addresses (6to4). */
const OPEN_6 = '2000::/3';
const CLOSED_6 = ['2002::/16'];
/** Without neighbour discovery there is no IPv6 at all. */
const NEIGHBOUR_TYPES = [
  ['nd-router-solicit', '133'],
  ['nd-neighbor-solicit', '135'],
  ['nd-neighbor-advert', '136'],
] as const;
const DNS = 53;

/** For `nft -f`: one transaction, which replaces the table that is there. */
export function nftRules({ name, bridges, reachable }: EgressRules): string {
  const refuse = 'reject with icmpx type admin-prohibited';
  const of = (family: 4 | 6): string => (family === 4 ? 'ip' : 'ip6');
  const ports = reachable.filter(({ port }) => port !== undefined);
  const ranges = reachable.filter(({ port }) => port === undefined);
  const lines = [
    `add table inet ${name}`,
    `delete table inet ${name}`,
    `table inet ${name} {`,
    'chain known {',
    'ct state established,related accept',
    `udp dport ${DNS} accept`,
    `tcp dport ${DNS} accept`,
    ...ports.map(
      ({ family, address, port }) =>
        `meta l4proto tcp ct original ${of(family)} daddr ${address} ct original proto-dst ${port} accept`,
    ),
    '}',
    'chain input {',
    'type filter hook input priority -10; policy accept;',
    `iifname != "${bridges}*" accept`,
    'jump known',
    `icmpv6 type { ${NEIGHBOUR_TYPES.map(([type]) => type).join(', ')} } accept`,
    refuse,
    '}',
    'chain forward {',
    'type filter hook forward priority -10; policy accept;',
    `iifname != "${bridges}*" accept`,
    `oifname "${bridges}*" accept`,
    'jump known',
    ...ranges.map(({ family, address }) => `${of(family)} daddr ${address} accept`),
    `ip daddr { ${CLOSED_4.join(', ')} } ${refuse}`,
    `ip6 daddr != ${OPEN_6} ${refuse}`,
    `ip6 daddr { ${CLOSED_6.join(', ')} } ${refuse}`,
    '}',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** Names of the chains for iptables, by the chain that jumps to them. */
export const chainsOf = (name: string): { INPUT: string; FORWARD: string } => ({
  INPUT: `${name}_in`,
  FORWARD: `${name}_fw`,
});

/** For `iptables-restore --noflush` and `ip6tables-restore --noflush`: replaces both chains. */
export function iptablesRules(family: 4 | 6, { name, bridges, reachable }: EgressRules): string {
  const chains = chainsOf(name);
  const own = reachable.filter((one) => one.family === family);
  const known = (chain: string): string[] => [
    `-A ${chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`,
    `-A ${chain} -p udp --dport ${DNS} -j RETURN`,
    `-A ${chain} -p tcp --dport ${DNS} -j RETURN`,
    ...own.flatMap(({ address, port }) =>
      port === undefined
        ? []
        : [`-A ${chain} -p tcp -m conntrack --ctorigdst ${address} --ctorigdstport ${port} -j RETURN`],
    ),
  ];
  const { INPUT, FORWARD } = chains;
  const ranges = own.filter(({ port }) => port === undefined);
  const closed =
    family === 4
      ? CLOSED_4.map((range) => `-A ${FORWARD} -d ${range} -j DROP`)
      : [
          `-A ${FORWARD} ! -d ${OPEN_6} -j DROP`,
          ...CLOSED_6.map((range) => `-A ${FORWARD} -d ${range} -j DROP`),
        ];
  const lines = [
    '*mangle',
    `:${INPUT} - [0:0]`,
    `:${FORWARD} - [0:0]`,
    ...known(INPUT),
    ...(family === 6
      ? NEIGHBOUR_TYPES.map(([, type]) => `-A ${INPUT} -p ipv6-icmp --icmpv6-type ${type} -j RETURN`)
      : []),
    `-A ${INPUT} -j DROP`,
    `-A ${FORWARD} -o ${bridges}+ -j RETURN`,
    ...known(FORWARD),
    ...ranges.map(({ address }) => `-A ${FORWARD} -d ${address} -j RETURN`),
    ...closed,
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}
