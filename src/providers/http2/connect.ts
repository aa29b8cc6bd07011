// Opens one TCP and TLS connection to a provider, through the proxy if there is one, and starts HTTP/2 on it.
// Every failure here comes before any request is written.

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { isIP, type Socket } from 'node:net';
import {
  createSecureContext,
  getCACertificates,
  type SecureContext,
  connect as startTls,
} from 'node:tls';
import type { Clock } from '../../core/ports/clock.ts';
import { dial, type Network } from './dial.ts';
import { openTunnel, type ProxyOptions, proxyFor } from './proxy.ts';
import { type ConnectFailure, connectFailureOf } from './transport-failures.ts';

export interface ConnectOptions extends ProxyOptions {
  readonly origin: URL;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities: SecureContext | undefined;
  readonly clock: Clock;
  readonly network?: Network | undefined;
}

export interface OpenConnection {
  readonly http2: ClientHttp2Session;
  /** The TCP socket under TLS: only it can be reset, and only it counts every byte of the peer. */
  readonly tcp: Socket;
}

/** Exactly one of the two is called, once. */
export interface ConnectHandlers {
  opened(connection: OpenConnection): void;
  failed(reason: ConnectFailure): void;
}

export interface ConnectAttempt {
  /** Gives up; `failed('closed')` follows unless the attempt has already ended. */
  abort(): void;
}

/**
 * Resolving, TCP, the proxy and TLS together: at 300 ms round trip that is 0.9 to 1.5 s. Below the 2 s that the
 * core waits for an attempt, so that the next attempt dials again instead of waiting for a lost SYN.
 */
const CONNECT_TIMEOUT_MS = 1_800;
/** Node's 10 MB would reset streams of a full connection as ENHANCE_YOUR_CALM. */
const MAX_SESSION_MEMORY_MB = 64;

let trusted: { readonly ca: string; readonly context: SecureContext } | undefined;

/**
 * What to trust beside the default authorities, NODE_EXTRA_CA_CERTS among them. Made once for all providers of all
 * apps, because reading 150 certificates stops this process for 10 ms.
 */
export function trustAlso(ca: string | undefined): SecureContext | undefined {
  if (ca === undefined) return undefined;
  if (trusted?.ca !== ca) {
    trusted = { ca, context: createSecureContext({ ca: [...getCACertificates(), ca] }) };
  }
  return trusted.context;
}

/** @throws an error for the operator if `endpoint` is not the plain origin of an HTTPS server. */
export function parseOrigin(endpoint: string): URL {
  const origin = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (origin?.protocol === 'https:' && origin.href === `${origin.origin}/`) return origin;
  throw new Error('endpoint must be https://host or https://host:port, without a path');
}

export function connect(options: ConnectOptions, handlers: ConnectHandlers): ConnectAttempt {
  const { origin, clock } = options;
  const proxy = proxyFor(origin, options);
  let isPending = true;
  let discard = () => {};

  const settle = (): boolean => {
    const wasPending = isPending;
    isPending = false;
    timer.cancel();
    return wasPending;
  };
  const fail = (reason: ConnectFailure): void => {
    if (!settle()) return;
    discard();
    handlers.failed(reason);
  };
  const open = (connection: OpenConnection): void => {
    if (settle()) handlers.opened(connection);
  };

  const timer = clock.after(CONNECT_TIMEOUT_MS, () => fail('connect_timeout'));
  discard = dial(
    {
      host: hostOf(proxy ?? origin),
      port: portOf(proxy ?? origin),
      clock,
      timeoutMs: CONNECT_TIMEOUT_MS,
      network: options.network,
    },
    {
      opened: (tcp) => {
        discard = () => tcp.destroy();
        // The handler stays for the life of the socket: an error after the end must not end the process.
        tcp.on('error', (error) => fail(connectFailureOf(error)));
        const secure = () => secureConnection(tcp, options, { opened: open, failed: fail });
        if (proxy === undefined) secure();
        else {
          const authority = `${origin.hostname}:${portOf(origin)}`;
          openTunnel(tcp, { proxy, authority }, { opened: secure, failed: fail });
        }
      },
      failed: (error) => fail(connectFailureOf(error)),
    },
  );
  return { abort: () => fail('closed') };
}

/** TLS by hand rather than by `node:http2`, because that hides the TCP socket. */
function secureConnection(
  tcp: Socket,
  { origin, authorities }: ConnectOptions,
  { opened, failed }: ConnectHandlers,
): void {
  const host = hostOf(origin);
  const secure = startTls({
    socket: tcp,
    ALPNProtocols: ['h2'],
    // RFC 6066 forbids addresses as server names.
    ...(isIP(host) === 0 ? { servername: host } : { servername: '', host }),
    secureContext: authorities,
  });
  secure.on('error', (error) => failed(connectFailureOf(error)));
  secure.on('close', () => failed('tls_failed'));
  secure.once('secureConnect', () => {
    if (tcp.destroyed) return;
    if (secure.alpnProtocol !== 'h2') {
      failed('not_http2');
      return;
    }
    const http2 = connectHttp2(origin, {
      createConnection: () => secure,
      // Until its SETTINGS arrive the peer may allow no more: APNs starts with 1 and refuses the rest.
      peerMaxConcurrentStreams: 1,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      settings: { enablePush: false },
    });
    opened({ http2, tcp });
  });
}

/** Without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'http:' ? 80 : 443;
}
