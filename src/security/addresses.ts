import { isIP } from 'node:net';

/** By which names the server may be asked, and which pages elsewhere may act; docs/protocol.md, sections 8.1 and 8.2. */
export interface AddressPolicy {
  /** What the server listens on, which is also a name to ask it by. */
  host: string;
  /** Names without a port; `*` is any. */
  allowedHosts: readonly string[];
  /** Whether keys are asked for: a page that rebinds a name has none, so only a list that was given is looked at. */
  hasKeys: boolean;
  allowedOrigins: readonly string[];
}

/** A name or an address as a `Host` header has it, with or without a port: https://www.rfc-editor.org/rfc/rfc9110#section-7.2 */
const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(?::\d{0,5})?$/i;

/** Whether only this machine reaches what listens there. */
export function isLoopback(name: string): boolean {
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

/**
 * Whether a request is for this server by a name that it is known by: a page whose own name was pointed to this
 * machine's address asks by that.
 */
export function isOwnHost(
  header: string | undefined,
  { host, allowedHosts, hasKeys }: AddressPolicy,
): boolean {
  if (allowedHosts.includes('*') || (hasKeys && allowedHosts.length === 0)) return true;
  const name = plainName(HOST.exec(header ?? '')?.[1] ?? '');
  if (name === '') return false;
  // https://www.rfc-editor.org/rfc/rfc6761#section-6.3: nobody can point these elsewhere
  if (isLoopback(name) || name.endsWith('.localhost')) return true;
  return [host, ...allowedHosts].some((own) => plainName(own) === name);
}

/**
 * Whether a page may act on this server: its own page, whatever the scheme, since TLS may end before it, or one of
 * an allowed origin. What has no origin is no page.
 */
export function mayAct(
  origin: string | undefined,
  header: string | undefined,
  { allowedOrigins }: AddressPolicy,
): boolean {
  if (origin === undefined || allowedOrigins.includes(origin)) return true;
  const page = URL.parse(origin);
  // With the page's scheme, so that both have that one's port where none is said.
  return page !== null && page.host !== '' && page.host === URL.parse(`${page.protocol}//${header}`)?.host;
}

/** Case doesn't count, nor a dot at the end, nor the brackets that an IPv6 address has in a header. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/^\[|\]$|\.$/g, '');
}
