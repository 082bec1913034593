/**
 * Which addresses belong to the public internet (pure): an allow list for IPv6 and a block list for IPv4,
 * from IANA's registries of special-purpose addresses (RFC 6890 and later). An address that is not surely
 * public counts as not public.
 */
import { BlockList, isIP } from 'node:net';

const SPECIAL_4 = [
  ['0.0.0.0', 8], // "this network"
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // shared, carriers and clouds
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, metadata services
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15], // benchmarking
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
] as const;
/** Within 2000::/3, which is the whole public range. */
const SPECIAL_6 = [
  ['2001::', 23], // protocol assignments, Teredo
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4: an IPv4 address in disguise
  ['3fff::', 20],
  ['2620:4f:8000::', 48],
] as const;

const special4 = new BlockList();
for (const [net, bits] of SPECIAL_4) special4.addSubnet(net, bits, 'ipv4');
const public6 = new BlockList();
public6.addSubnet('2000::', 3, 'ipv6');
const special6 = new BlockList();
for (const [net, bits] of SPECIAL_6) special6.addSubnet(net, bits, 'ipv6');

/**
 * Also false if the text is not an address. IPv4 addresses inside of IPv6 ones (mapped, NAT64) are not
 * public.
 */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 4) return !special4.check(bare, 'ipv4');
  if (family === 6) return public6.check(bare, 'ipv6') && !special6.check(bare, 'ipv6');
  return false;
}
