import { expect, test } from 'vitest';
import { type EgressRules, iptablesRules, nftRules } from '../../../../src/adapters/firewall/rules.ts';

const rules: EgressRules = {
  name: 'davit_1a2b3c4d',
  bridges: 'davitx1y2',
  reachable: [
    { family: 4, address: '10.0.0.5', port: 443 },
    { family: 4, address: '10.1.0.0/16' },
    { family: 6, address: 'fd00::5', port: 8420 },
    { family: 6, address: 'fd01::/64' },
  ],
};

test('for nft: one table, replaced at once', () => {
  expect(nftRules(rules)).toMatchInlineSnapshot(`
    "add table inet davit_1a2b3c4d
    delete table inet davit_1a2b3c4d
    table inet davit_1a2b3c4d {
    chain known {
    ct state established,related accept
    udp dport 53 accept
    tcp dport 53 accept
    meta l4proto tcp ct original ip daddr 10.0.0.5 ct original proto-dst 443 accept
    meta l4proto tcp ct original ip6 daddr fd00::5 ct original proto-dst 8420 accept
    }
    chain input {
    type filter hook input priority -10; policy accept;
    iifname != "davitx1y2*" accept
    jump known
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
    reject with icmpx type admin-prohibited
    }
    chain forward {
    type filter hook forward priority -10; policy accept;
    iifname != "davitx1y2*" accept
    oifname "davitx1y2*" accept
    jump known
    ip daddr 10.1.0.0/16 accept
    ip6 daddr fd01::/64 accept
    ip daddr { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3 } reject with icmpx type admin-prohibited
    ip6 daddr != 2000::/3 reject with icmpx type admin-prohibited
    ip6 daddr { 2002::/16 } reject with icmpx type admin-prohibited
    }
    }
    "
  `);
});

test('for iptables: both chains, replaced at once', () => {
  expect(iptablesRules(4, rules)).toMatchInlineSnapshot(`
    "*mangle
    :davit_1a2b3c4d_in - [0:0]
    :davit_1a2b3c4d_fw - [0:0]
    -A davit_1a2b3c4d_in -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
    -A davit_1a2b3c4d_in -p udp --dport 53 -j RETURN
    -A davit_1a2b3c4d_in -p tcp --dport 53 -j RETURN
    -A davit_1a2b3c4d_in -p tcp -m conntrack --ctorigdst 10.0.0.5 --ctorigdstport 443 -j RETURN
    -A davit_1a2b3c4d_in -j DROP
    -A davit_1a2b3c4d_fw -o davitx1y2+ -j RETURN
    -A davit_1a2b3c4d_fw -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
    -A davit_1a2b3c4d_fw -p udp --dport 53 -j RETURN
    -A davit_1a2b3c4d_fw -p tcp --dport 53 -j RETURN
    -A davit_1a2b3c4d_fw -p tcp -m conntrack --ctorigdst 10.0.0.5 --ctorigdstport 443 -j RETURN
    -A davit_1a2b3c4d_fw -d 10.1.0.0/16 -j RETURN
    -A davit_1a2b3c4d_fw -d 0.0.0.0/8 -j DROP
    -A davit_1a2b3c4d_fw -d 10.0.0.0/8 -j DROP
    -A davit_1a2b3c4d_fw -d 100.64.0.0/10 -j DROP
    -A davit_1a2b3c4d_fw -d 127.0.0.0/8 -j DROP
    -A davit_1a2b3c4d_fw -d 169.254.0.0/16 -j DROP
    -A davit_1a2b3c4d_fw -d 172.16.0.0/12 -j DROP
    -A davit_1a2b3c4d_fw -d 192.0.0.0/24 -j DROP
    -A davit_1a2b3c4d_fw -d 192.168.0.0/16 -j DROP
    -A davit_1a2b3c4d_fw -d 198.18.0.0/15 -j DROP
    -A davit_1a2b3c4d_fw -d 224.0.0.0/3 -j DROP
    COMMIT
    "
  `);
});

test('for ip6tables: neighbours are found, and only global addresses are open', () => {
  expect(iptablesRules(6, rules)).toMatchInlineSnapshot(`
    "*mangle
    :davit_1a2b3c4d_in - [0:0]
    :davit_1a2b3c4d_fw - [0:0]
    -A davit_1a2b3c4d_in -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
    -A davit_1a2b3c4d_in -p udp --dport 53 -j RETURN
    -A davit_1a2b3c4d_in -p tcp --dport 53 -j RETURN
    -A davit_1a2b3c4d_in -p tcp -m conntrack --ctorigdst fd00::5 --ctorigdstport 8420 -j RETURN
    -A davit_1a2b3c4d_in -p ipv6-icmp --icmpv6-type 133 -j RETURN
    -A davit_1a2b3c4d_in -p ipv6-icmp --icmpv6-type 135 -j RETURN
    -A davit_1a2b3c4d_in -p ipv6-icmp --icmpv6-type 136 -j RETURN
    -A davit_1a2b3c4d_in -j DROP
    -A davit_1a2b3c4d_fw -o davitx1y2+ -j RETURN
    -A davit_1a2b3c4d_fw -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
    -A davit_1a2b3c4d_fw -p udp --dport 53 -j RETURN
    -A davit_1a2b3c4d_fw -p tcp --dport 53 -j RETURN
    -A davit_1a2b3c4d_fw -p tcp -m conntrack --ctorigdst fd00::5 --ctorigdstport 8420 -j RETURN
    -A davit_1a2b3c4d_fw -d fd01::/64 -j RETURN
    -A davit_1a2b3c4d_fw ! -d 2000::/3 -j DROP
    -A davit_1a2b3c4d_fw -d 2002::/16 -j DROP
    COMMIT
    "
  `);
});

test('a range opens nothing on the machine itself', () => {
  const input = (text: string): string => /chain input \{[^}]*(?:\{[^}]*\}[^}]*)*\}/.exec(text)?.[0] ?? text;
  expect(input(nftRules(rules))).not.toContain('10.1.0.0/16');
  expect(iptablesRules(4, rules)).not.toMatch(/_in .*10\.1\.0\.0/);
});
