import { BlockList, isIP } from 'node:net';

/**
 * Addresses that are nobody's on the public internet (IANA's special-purpose registries, RFC 6890): loopback, private and link-local networks,
 * with them the metadata services of clouds (169.254.169.254, fd00:ec2::254), shared and test networks, multicast, reserved.
 */
const special: readonly [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Global unicast is 2000::/3 (RFC 4291); these lie in it and lead elsewhere: tunnels to IPv4, ORCHID, documentation. */
const specialInGlobal6: readonly [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const refused = new BlockList();
for (const [network, prefix] of special) refused.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of specialInGlobal6) refused.addSubnet(network, prefix, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/** Whether an IP address leads to the public internet. False for what is no IP address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, 'ipv4');
  // What IPv4 looks like in IPv6 (::ffff:10.0.0.1, 64:ff9b::10.0.0.1) is outside 2000::/3.
  if (family === 6) return global6.check(address, 'ipv6') && !refused.check(address, 'ipv6');
  return false;
}
