// Whether a request leaves through the egress proxy, and the tunnel through it (RFC 9110 section 9.3.6, CONNECT).

import { request } from 'node:http';
import type { Socket } from 'node:net';
import { type ConnectFailure, connectFailureOf } from './transport-failures.ts';

export interface ProxyOptions {
  /** `http://[user:password@]host:port`, as in HTTPS_PROXY. */
  readonly proxy?: URL | undefined;
  /** Hosts that are reached without it, as in NO_PROXY: `*`, names, `.suffixes`, `host:port`, separated by commas. */
  readonly noProxy?: string | undefined;
}

/** @throws an error for the operator if the proxy is none that the service can use; it names no password. */
export function assertUsableProxy({ proxy }: ProxyOptions): void {
  if (proxy === undefined) return;
  if (proxy.protocol !== 'http:' || proxy.hostname === '') {
    throw new Error(
      'HTTPS_PROXY must be http://host:port, with user:password@ before the host if needed',
    );
  }
  try {
    credentialsOf(proxy);
  } catch {
    // The cause would quote the password.
    throw new Error('HTTPS_PROXY must have user and password percent-encoded');
  }
}

/** @throws if user or password are not percent-encoded. */
function credentialsOf({ username, password }: URL): string | undefined {
  if (username === '') return undefined;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(user).toString('base64')}`;
}

/** The proxy for requests to `url`; `undefined` if they go directly. */
export function proxyFor(url: URL, { proxy, noProxy }: ProxyOptions): URL | undefined {
  if (proxy === undefined) return undefined;
  const host = url.hostname.toLowerCase();
  const authority = `${host}:${url.port === '' ? '443' : url.port}`;
  const isExempt = (noProxy ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*' || entry === host || entry === authority) return true;
      const suffix = entry.replace(/^\*?\./, '');
      return host === suffix || host.endsWith(`.${suffix}`);
    });
  return isExempt ? undefined : proxy;
}

export interface TunnelHandlers {
  opened(): void;
  failed(reason: ConnectFailure): void;
}

/** Asks the proxy at the other end of `socket` for a tunnel to `authority` (`host:port`). */
export function openTunnel(
  socket: Socket,
  { proxy, authority }: { readonly proxy: URL; readonly authority: string },
  handlers: TunnelHandlers,
): void {
  const credentials = credentialsOf(proxy);
  const headers = { host: authority, ...(credentials && { 'proxy-authorization': credentials }) };
  const connect = request({
    method: 'CONNECT',
    path: authority,
    headers,
    // Without an agent, which would open a socket of its own.
    createConnection: () => socket,
  });
  connect.once('connect', ({ statusCode }, _socket, head) => {
    if (statusCode !== 200) {
      handlers.failed('proxy_refused');
      return;
    }
    if (head.length > 0) socket.unshift(head);
    handlers.opened();
  });
  connect.on('error', (error) => handlers.failed(connectFailureOf(error)));
  connect.end();
}
