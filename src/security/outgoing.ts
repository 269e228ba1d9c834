import { lookup as lookUp } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Finds the addresses of a name. */
export type Resolve = (name: string) => Promise<readonly { address: string; family: number }[]>;

/** Where users' own addresses may lead. */
export interface AddressGuard {
  /** @throws AddressRefused where it leads, now, to where it may not, or nowhere */
  assertAllowed(url: string): Promise<void>;
  /** For the socket that is to be connected: what was judged here is what is connected to. */
  lookup: LookupFunction;
}

/** An address that users may not have the server ask. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/** Nobody else's: https://www.iana.org/assignments/iana-ipv4-special-registry */
const FORBIDDEN_V4 = [
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
  // What Azure's machines are told their secrets by: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  ['168.63.129.16', 32],
] as const;

/** Of the addresses that are given out, those that stand for others: https://www.iana.org/assignments/iana-ipv6-special-registry */
const FORBIDDEN_V6 = [
  // Teredo, ORCHID and others.
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4: an IPv4 address within.
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const forbidden = new BlockList();
for (const [net, prefix] of FORBIDDEN_V4) forbidden.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of FORBIDDEN_V6) forbidden.addSubnet(net, prefix, 'ipv6');
/** All IPv6 addresses of the internet are of these; mapped, translated, local ones are not. */
const global = new BlockList();
global.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is of the internet, and no way around to this machine or its neighbours. */
function isPublic(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !forbidden.check(address, 'ipv4');
    case 6:
      return global.check(address, 'ipv6') && !forbidden.check(address, 'ipv6');
    default:
      return false;
  }
}

const resolveByDns: Resolve = (name) => lookUp(name, { all: true });

/**
 * Judges addresses where they become connections: whatever a name says when it is asked, now or a moment later, the
 * answer that was judged is the one that is used.
 *
 * @param allowPrivate everything is allowed
 */
export function guardAddresses(allowPrivate: boolean, resolve: Resolve = resolveByDns): AddressGuard {
  async function addressesOf(name: string): Promise<readonly { address: string; family: number }[]> {
    // In brackets, as in an address.
    const plain = name.replace(/^\[|\]$/g, '');
    const family = isIP(plain);
    const found = family > 0 ? [{ address: plain, family }] : await resolve(plain);
    if (found.length === 0) throw new AddressRefused(`${name} has no address`);
    if (!allowPrivate && !found.every(({ address }) => isPublic(address))) {
      throw new AddressRefused(`${name} leads to an address that is not public`);
    }
    return found;
  }
  return {
    async assertAllowed(url) {
      const { hostname } = new URL(url);
      try {
        await addressesOf(hostname);
      } catch (error) {
        if (error instanceof AddressRefused) throw error;
        throw new AddressRefused(`${hostname} has no address: ${(error as NodeJS.ErrnoException).code}`);
      }
    },
    lookup(name, options, callback) {
      const judge = async (): Promise<void> => {
        let found: Awaited<ReturnType<Resolve>>;
        try {
          found = await addressesOf(name);
        } catch (error) {
          return callback(error as Error, '', 0);
        }
        const [first = { address: '', family: 4 }] = found;
        if (options.all) callback(null, [...found]);
        else callback(null, first.address, first.family);
      };
      void judge();
    },
  };
}
