// Opens one TCP and TLS connection to a peer that speaks HTTP/2. Every failure here comes before any request is
// written.

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
  connect as upgradeToTls,
} from 'node:tls';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import { type ConnectFailure, connectFailureOf } from './failure.ts';

export interface ConnectOptions {
  readonly origin: URL;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities: SecureContext | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

export interface Sockets {
  readonly secure: TLSSocket;
  /** The TCP socket under TLS: only it can be reset, and only it counts every byte of the peer. */
  readonly tcp: Socket;
}

/** Exactly one of the two is called, once. */
export interface ConnectHandlers {
  opened(sockets: Sockets): void;
  failed(reason: ConnectFailure): void;
}

export interface ConnectAttempt {
  /** Gives up; `failed('closed')` follows unless the attempt ended before. */
  abort(): void;
}

/** How long one address of several may take before the next is tried beside it. */
const ADDRESS_TIMEOUT_MS = 400;

/**
 * What to trust beside the default authorities, NODE_EXTRA_CA_CERTS among them. Made once, since reading
 * 150 certificates stops this process for 10 ms.
 */
export function trustAlso(ca: string | undefined): SecureContext | undefined {
  if (ca === undefined) return undefined;
  return createSecureContext({ ca: [...getCACertificates(), ca] });
}

/** @throws an error for the operator if `endpoint` is not the plain origin of an HTTPS server. */
export function parseOrigin(endpoint: string): URL {
  const origin = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (origin?.protocol === 'https:' && origin.href === `${origin.origin}/`) return origin;
  throw new Error('endpoint must be https://host or https://host:port, without a path');
}

export function connect(options: ConnectOptions, handlers: ConnectHandlers): ConnectAttempt {
  const { origin } = options;
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  // Without TLS's own connecting, because that hides the TCP socket.
  const socket = connectTcp({
    host,
    port: origin.port === '' ? 443 : Number(origin.port),
    noDelay: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  });
  const secure = upgradeToTls({
    socket,
    ALPNProtocols: ['h2'],
    // RFC 6066 forbids addresses as server names.
    ...(isIP(host) === 0 ? { servername: host } : { servername: '', host }),
    ...(options.authorities === undefined ? {} : { secureContext: options.authorities }),
  });
  return watch({ socket, secure }, options, handlers);
}

function watch(
  { socket, secure }: { readonly socket: Socket; readonly secure: TLSSocket },
  { clock, timeoutMs }: ConnectOptions,
  handlers: ConnectHandlers,
): ConnectAttempt {
  let pending = true;

  function fail(reason: ConnectFailure): void {
    if (!pending) return;
    pending = false;
    timer.cancel();
    secure.destroy();
    socket.destroy();
    handlers.failed(reason);
  }

  const timer: Timer = clock.after(timeoutMs, () => fail('connect_timeout'));
  // These stay on for the life of the sockets: an error after the end must not end the process.
  socket.on('error', (error) => fail(connectFailureOf(error)));
  secure.on('error', (error) => fail(connectFailureOf(error)));
  secure.on('close', () => fail('tls_failed'));
  secure.once('secureConnect', () => {
    if (!pending) return;
    if (secure.alpnProtocol !== 'h2') {
      fail('not_http2');
      return;
    }
    pending = false;
    timer.cancel();
    handlers.opened({ secure, tcp: socket });
  });
  return { abort: () => fail('closed') };
}
