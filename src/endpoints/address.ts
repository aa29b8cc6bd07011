// Which addresses events may go to: public unicast, and the networks that the configuration allows. An IPv4 address
// that is embedded in an IPv6 address (IPv4-mapped, NAT64) is judged as IPv4.

import ipaddr from 'ipaddr.js';

export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** RFC 4291: all global unicast addresses; other assignments are for special purposes. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** RFC 6052: NAT64. The last 32 bits are an IPv4 address. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** RFC 9637, which the library may not know yet. */
const DOCUMENTATION = ipaddr.IPv6.parseCIDR('3fff::/20');
/** Services other than HTTP have lower ports, so nobody can make us talk to a mail server. */
const FIRST_UNPRIVILEGED_PORT = 1_024;

/** Undefined if the text is no network. */
export function parseNetwork(text: string): Network | undefined {
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

export interface AddressRules {
  readonly networks: readonly Network[];
}

/** How far an address is allowed: `own` is in a configured network, where http is allowed, too. */
export function judgeAddress(
  text: string,
  { networks }: AddressRules,
): 'own' | 'public' | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const address = unmapped(ipaddr.parse(text));
  const isOwn = networks.some(
    ([network, bits]) =>
      network.kind() === address.kind() && address.match([network, bits] as never),
  );
  if (isOwn) return 'own';
  if (address.range() !== 'unicast') return undefined;
  if (address instanceof ipaddr.IPv4) return 'public';
  return address.match(GLOBAL_UNICAST) && !address.match(DOCUMENTATION) ? 'public' : undefined;
}

function unmapped(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return address.match(NAT64) ? new ipaddr.IPv4(address.toByteArray().slice(-4)) : address;
}

/** What is wrong with a URL before any name is looked up; never quotes it. */
export function faultOfUrl(text: string): string | undefined {
  if (text.length > 2_048) return 'must have at most 2,048 characters';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return 'must be an https URL or an e-mail address';
  }
  if (url.username !== '' || url.password !== '') return 'must not hold a user or a password';
  if (url.hash !== '') return 'must not hold a fragment';
  if (url.hostname.endsWith('.') || url.hostname === '') return 'must hold a host name';
  if (portOf(url) < FIRST_UNPRIVILEGED_PORT && portOf(url) !== 443 && portOf(url) !== 80) {
    return 'must have the port 443 or one from 1024 on';
  }
  return undefined;
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** The address in the URL itself; the URL parser has normalised every spelling of IPv4. */
export function literalOf({ hostname }: URL): string | undefined {
  const host = hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(host) ? host : undefined;
}

/** What is wrong with where a URL leads, given all addresses of its host. */
export function faultOfTarget(
  url: URL,
  addresses: readonly string[],
  rules: AddressRules,
): string | undefined {
  const judged = addresses.map((address) => judgeAddress(address, rules));
  if (judged.length === 0 || judged.includes(undefined)) {
    return 'must lead to the public internet, or to a network of NDS_ENDPOINT_NETWORKS';
  }
  const isOwn = judged.every((one) => one === 'own');
  if (url.protocol === 'http:' && !isOwn) return 'must be https outside NDS_ENDPOINT_NETWORKS';
  if (portOf(url) === 80 && !isOwn) return 'must have the port 443 or one from 1024 on';
  return undefined;
}
