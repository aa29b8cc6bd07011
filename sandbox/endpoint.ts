// One provider's front: a TLS port on loopback that speaks HTTP/2 and, if `http1` is set, HTTP/1.1. A client without
// ALPN gets the protocol that the provider itself assumes. It owns the connections and can refuse, reset and freeze
// them; the handler decides what a request means.
import { createServer as createHttp1Server } from 'node:http';
import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import {
  type AddressInfo,
  createServer as createTcpServer,
  isIPv4,
  type Server,
  type Socket,
} from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Connection, type ConnectionReport, type GoAway } from './connection.ts';
import { type ExchangeHandler, receiveMessage, receiveStream } from './exchange.ts';
import { FreezableSocket } from './freezable-socket.ts';
import type { Identity } from './identity.ts';

/** Connections whose counters are kept after their end, for `stats`. */
const MAX_KEPT_CONNECTIONS = 10_000;
/** Idle HTTP/1.1 connections are kept this long, in ms; Google's front ends keep theirs 4 minutes. */
const KEEP_ALIVE_MS = 240_000;
/** Above any test's burst: Node's default of 100 refused streams would end the session instead. */
const MAX_REFUSED_STREAMS = 1_000_000;

export interface Address {
  /** A loopback address, 127.0.0.0/8. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface EndpointOptions {
  readonly identity: Identity;
  readonly address: Address;
  /** Whether a client without HTTP/2 is served too. */
  readonly http1: boolean;
  /** SETTINGS_MAX_CONCURRENT_STREAMS at the start of each connection. */
  readonly initialStreams: number;
  readonly handle: ExchangeHandler;
}

export interface ConnectionStats {
  readonly opened: number;
  readonly open: number;
  readonly requests: number;
  readonly invalidTokens: number;
  readonly goAwaysSent: number;
  /** The most recent 10,000 connections, oldest first. */
  readonly perConnection: readonly ConnectionReport[];
}

export interface Endpoint {
  readonly url: string;
  stats(): ConnectionStats;
  /** Connections still open, oldest first. */
  open(): readonly Connection[];
  goAway(goAway: GoAway): void;
  freeze(): void;
  /** Stops listening, so that a connect is refused; with `reset` it resets the open connections. */
  refuse(options: { readonly reset: boolean }): void;
  /** Listens again on the same port. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

/** Starts listening; resolves when the port accepts connections. */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const connections = new Set<Connection>();
  let opened = 0;
  const dispatch = createDispatcher(options);

  function onSocket(socket: Socket): void {
    const freezable = new FreezableSocket(socket);
    freezable.on('error', () => undefined);
    opened += 1;
    const connection = new Connection(opened, freezable);
    connections.add(connection);
    forgetOldest(connections);
    dispatch(freezable, connection);
  }

  const { host } = options.address;
  assertLoopback(host);
  let server: Server | undefined = await listen(options.address, onSocket);
  const port = portOf(server);
  const open = (): Connection[] => [...connections].filter((connection) => connection.open);

  return {
    url: `https://${host}:${port}`,
    stats: () => summarize(opened, connections),
    open,
    goAway(goAway) {
      for (const connection of open()) connection.goAway(goAway);
    },
    freeze() {
      for (const connection of open()) connection.freeze();
    },
    refuse({ reset }) {
      server?.close();
      server = undefined;
      if (reset) for (const connection of open()) connection.reset();
    },
    async accept() {
      server ??= await listen({ host, port }, onSocket);
    },
    async close() {
      const listening = server;
      server = undefined;
      const closed = new Promise<void>((resolve) => {
        if (listening === undefined) resolve();
        else listening.close(() => resolve());
      });
      for (const connection of open()) connection.destroy();
      await closed;
    },
  };
}

/**
 * Each connection gets a TLS server object of its own that never listens: only in this way is it known which TCP
 * connection a TLS socket belongs to, and the faults act on that connection. It costs a fraction of the handshake.
 */
function createDispatcher({ identity, http1, initialStreams, handle }: EndpointOptions) {
  const tls: TlsOptions = {
    key: identity.certificateKey,
    cert: identity.certificate,
    minVersion: 'TLSv1.2',
    ALPNProtocols: http1 ? ['h2', 'http/1.1'] : ['h2'],
  };
  const plain = createHttp1Server({ keepAliveTimeout: KEEP_ALIVE_MS });
  const http2Options = {
    settings: { maxConcurrentStreams: initialStreams },
    maxSessionRejectedStreams: MAX_REFUSED_STREAMS,
  };
  const owners = new WeakMap<object, Connection>();

  plain.on('request', (request, response) => {
    const connection = owners.get(request.socket);
    if (connection !== undefined) receiveMessage(request, response, { connection, handle });
  });

  function onSecure(secure: TLSSocket, connection: Connection): void {
    secure.on('error', () => undefined);
    // Without ALPN Google's front end speaks HTTP/1.1; Apple's knows only HTTP/2.
    if (secure.alpnProtocol === 'h2' || (secure.alpnProtocol === false && !http1)) {
      onSession(performServerHandshake(secure, http2Options), { secure, connection });
    } else if (http1) {
      connection.speaks(secure);
      owners.set(secure, connection);
      plain.emit('connection', secure);
    } else {
      connection.destroy();
    }
  }

  function onSession(
    session: ServerHttp2Session,
    { secure, connection }: { secure: TLSSocket; connection: Connection },
  ): void {
    session.on('error', () => undefined);
    session.on('stream', (stream, headers, _flags, rawHeaders) => {
      receiveStream(stream, { headers, rawHeaders }, { connection, handle });
    });
    connection.speaks(secure, session);
  }

  return (socket: Duplex, connection: Connection): void => {
    createTlsServer(tls, (secure) => onSecure(secure, connection)).emit('connection', socket);
  };
}

/** Throws for an address that other machines could reach. */
function assertLoopback(host: string): void {
  if (isIPv4(host) && host.startsWith('127.')) return;
  throw new Error(`${host} is not a loopback address: the stand-ins listen on 127.0.0.0/8 only`);
}

function listen({ host, port }: Address, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createTcpServer({ noDelay: true }, onSocket);
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

function forgetOldest(connections: Set<Connection>): void {
  if (connections.size <= MAX_KEPT_CONNECTIONS) return;
  for (const connection of connections) {
    if (connection.open) continue;
    connections.delete(connection);
    return;
  }
}

function summarize(opened: number, connections: ReadonlySet<Connection>): ConnectionStats {
  const perConnection = [...connections].map((connection) => connection.report());
  const sum = (pick: (report: ConnectionReport) => number): number =>
    perConnection.reduce((total, report) => total + pick(report), 0);
  return {
    opened,
    open: sum((report) => (report.open ? 1 : 0)),
    requests: sum((report) => report.requests),
    invalidTokens: sum((report) => report.invalidTokens),
    goAwaysSent: sum((report) => report.goAwaysSent),
    perConnection,
  };
}
