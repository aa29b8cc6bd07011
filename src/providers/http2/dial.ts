// Opens a TCP connection to a host that may have several addresses, as RFC 8305 describes: a second address is
// tried beside the first, and the one that connects first wins. Node's `autoSelectFamily` gives a pending address
// up when it starts the next; on a line with a slow round trip, an address family without a route then wins.

import { lookup } from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import type { Clock, Timer } from '../../core/ports/clock.ts';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** How names are resolved and sockets opened; a test may stand in for the network. */
export interface Network {
  lookup(host: string, done: (error: Error | null, addresses: readonly Address[]) => void): void;
  connect(address: Address, port: number): Socket;
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** How long the caller waits. No address is started beside others when less than half of it is left. */
  readonly timeoutMs: number;
  readonly network?: Network | undefined;
}

export interface DialHandlers {
  /** Called once, unless `failed` or `abort` is. */
  opened(socket: Socket): void;
  failed(error: unknown): void;
}

/** RFC 8305 section 8, "Connection Attempt Delay". */
const NEXT_ADDRESS_MS = 250;
/** Errors of this machine's routes rather than of the peer; another address's error says more. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

const SYSTEM_NETWORK: Network = {
  lookup: (host, done) => lookup(host, { all: true }, done),
  connect: ({ address }, port) => connect({ host: address, port, noDelay: true }),
};

/** Returns a function that gives up. */
export function dial(options: DialOptions, handlers: DialHandlers): () => void {
  const race = new AddressRace(options, handlers);
  const { host, network = SYSTEM_NETWORK } = options;
  if (isIP(host) !== 0) race.start([{ address: host, family: isIP(host) }]);
  else {
    network.lookup(host, (error, addresses) => {
      if (error !== null) race.fail(error);
      else race.start(alternateFamilies(addresses));
    });
  }
  return () => race.stop();
}

class AddressRace {
  readonly #options: DialOptions;
  readonly #handlers: DialHandlers;
  readonly #network: Network;
  readonly #pending = new Set<Socket>();
  readonly #latestStartMs: number;
  #remaining: readonly Address[] = [];
  #timer: Timer | undefined;
  #error: unknown;
  #isOver = false;

  constructor(options: DialOptions, handlers: DialHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#network = options.network ?? SYSTEM_NETWORK;
    this.#latestStartMs = options.clock.nowMs() + options.timeoutMs / 2;
  }

  start(addresses: readonly Address[]): void {
    this.#remaining = addresses;
    this.#next();
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const socket of this.#pending) socket.destroy();
    this.#pending.clear();
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.stop();
    this.#handlers.failed(error);
  }

  #next(): void {
    this.#timer?.cancel();
    if (this.#isOver) return;
    const [address, ...remaining] = this.#remaining;
    this.#remaining = remaining;
    if (address === undefined) {
      if (this.#pending.size === 0) this.fail(this.#error ?? new Error('no address'));
      return;
    }
    this.#try(address);
    if (remaining.length === 0) return;
    this.#timer = this.#options.clock.after(NEXT_ADDRESS_MS, () => {
      if (this.#options.clock.nowMs() <= this.#latestStartMs) this.#next();
    });
  }

  #try(address: Address): void {
    const socket = this.#network.connect(address, this.#options.port);
    this.#pending.add(socket);
    const onError = (error: Error & { code?: string }) => {
      this.#pending.delete(socket);
      if (this.#error === undefined || !NO_ROUTE.has(error.code ?? '')) this.#error = error;
      this.#next();
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      if (this.#isOver) return;
      socket.removeListener('error', onError);
      this.#pending.delete(socket);
      this.stop();
      this.#handlers.opened(socket);
    });
  }
}

/** RFC 8305 section 4: the families take turns, so that one without a route costs one delay and not several. */
function alternateFamilies(addresses: readonly Address[]): readonly Address[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  return Array.from({ length: addresses.length }, (_, index) => [
    ...first.slice(index, index + 1),
    ...second.slice(index, index + 1),
  ]).flat();
}
