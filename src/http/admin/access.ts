// Who may use the page: from which networks, from which origin, with which session. A call that changes something needs
// a header that no form and no other site can send, and our own origin; reading needs only the session.

import type { BlockList } from 'node:net';
import { isIP } from 'node:net';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { ServiceError } from '../../core/errors.ts';
import type { Principal, Scope } from '../../core/operating/scopes.ts';
import { requireScope } from '../auth.ts';
import type { HttpContext } from '../context.ts';
import type { ClientAddressOf } from '../limits/client-address.ts';
import { SESSION_SECONDS, type Session, type Sessions } from './sessions.ts';

/**
 * Our script adds it to every call. A form cannot send it, and another site would need a CORS preflight, which is
 * refused.
 */
export const PAGE_HEADER = 'nds-page';
const COOKIE = 'nds_page';
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.|^::1$/;

export interface AccessParts {
  readonly sessions: Sessions;
  /** The networks for which the page exists; all if absent. */
  readonly networks: BlockList | undefined;
  readonly externalUrl: string | undefined;
  readonly clientAddressOf: ClientAddressOf | undefined;
}

/** Over https at the public address, or over plain http within this machine. */
type Way = 'secure' | 'loopback';

/** Whether the page exists for this caller. Clients of the socket use the API. */
export function isPageServed({ sessions, networks, ...parts }: AccessParts, c: HttpContext) {
  if (!sessions.arePossible || c.env.principal !== undefined) return false;
  return networks === undefined || isWithin(networks, addressOf(parts, c));
}

/** Behind a proxy, the address that the proxy gives for its caller. */
export function addressOf(
  { clientAddressOf }: Pick<AccessParts, 'clientAddressOf'>,
  { env }: HttpContext,
): string {
  return clientAddressOf?.(env.incoming) ?? env.incoming.socket.remoteAddress ?? '';
}

function isWithin(networks: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && networks.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}

/** Throws `foreign_page` unless our own script sent the call, from a page that may have a session. */
export function requireOwnPage(parts: AccessParts, c: HttpContext): Way {
  const way = wayOf(parts, c.req.header('origin'), c);
  if (way === undefined || c.req.header(PAGE_HEADER) !== '1')
    throw new ServiceError('foreign_page');
  return way;
}

function wayOf(
  { externalUrl }: AccessParts,
  origin: string | undefined,
  c: HttpContext,
): Way | undefined {
  if (origin === undefined) return undefined;
  const external = externalUrl === undefined ? undefined : new URL(externalUrl).origin;
  if (origin === external && origin.startsWith('https:')) return 'secure';
  return isWithinMachine(c) && origin === `http://${c.req.header('host')}` ? 'loopback' : undefined;
}

/** A proxy that replaces the Host header has another origin, so no cookie is set through it. */
function isWithinMachine({ req, env }: HttpContext): boolean {
  const { remoteAddress = '' } = env.incoming.socket;
  return LOOPBACK_HOST.test(req.header('host') ?? '') && LOOPBACK_ADDRESS.test(remoteAddress);
}

export function setSession(c: HttpContext, token: string, way: Way): void {
  setCookie(c, COOKIE, token, { ...cookieOf(way), maxAge: SESSION_SECONDS });
}

export function endSession(c: HttpContext): void {
  deleteCookie(c, COOKIE, cookieOf('secure'));
  if (isWithinMachine(c)) deleteCookie(c, COOKIE, cookieOf('loopback'));
}

function cookieOf(way: Way) {
  const common = { path: '/', httpOnly: true, sameSite: 'Strict' } as const;
  return way === 'secure' ? ({ ...common, secure: true, prefix: 'host' } as const) : common;
}

export function sessionOf({ sessions }: AccessParts, c: HttpContext): Session | undefined {
  const token =
    getCookie(c, COOKIE, 'host') ?? (isWithinMachine(c) ? getCookie(c, COOKIE) : undefined);
  return token === undefined ? undefined : sessions.read(token);
}

/**
 * The owner of the session. A call that changes something must come from our own page; without `scope` the route itself
 * checks the scope. Throws `unauthorized`, `foreign_page` or `insufficient_scope`.
 */
export function requireSession(parts: AccessParts, c: HttpContext, scope?: Scope): Principal {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') requireOwnPage(parts, c);
  const session = sessionOf(parts, c);
  if (session === undefined) {
    throw new ServiceError('unauthorized', {
      detail: 'Sign in: there is no session, or it ended.',
    });
  }
  if (scope !== undefined) requireScope(session.principal, scope);
  return session.principal;
}
