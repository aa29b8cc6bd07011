// This machine among those that share its database: it forwards replies that others wait for, and gets its own from
// them at a private listener.

import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { Config } from '../../config/config.ts';
import { forwardingKey } from '../../config/secret.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Ids } from '../../core/ports/ids.ts';
import type { Observer } from '../../core/ports/observer.ts';
import type { Peers } from '../../core/ports/peers.ts';
import type { LocalReplyExchange, ReplyExchange } from '../../core/ports/replies.ts';
import { reportCounts } from '../../http/limits/counted-reports.ts';
import { createForwardedRepliesApp } from '../../http/machines/forwarded-replies.ts';
import { type RunningServer, startServer } from '../../http/server.ts';
import { type ForwardFailure, ReplyForwarder } from '../../machines/reply-forwarder.ts';
import type { Log } from '../../observe/log.ts';
import { parseAddress, urlOf } from '../listening.ts';

/** Every other machine keeps a few connections. */
const MAX_CONNECTIONS = 1_024;
const REPORT_EVERY_MS = 60_000;
const ANY_ADDRESS: readonly string[] = ['::', '0.0.0.0'];
/** Nothing is sent to this port; only the route to the host matters. */
const ANY_PORT = 9;

const REMEDIES: Readonly<Record<ForwardFailure, string>> = {
  too_many:
    'more replies came at once than machines forward; if it was an attack, there is nothing to do',
  store: 'PostgreSQL did not say where the machine is: /readyz has the reason',
  no_address: 'set NDS_NODE_ADDRESS on every machine',
  refused: 'give all machines the same NDS_SECRET, and set their clocks',
  timeout: 'the machine hangs, or a firewall drops what comes to its NDS_NODE_ADDRESS',
  connection_failed: 'the machine died, or others cannot connect to its NDS_NODE_ADDRESS',
};

export interface Machines {
  readonly exchange: ReplyExchange;
  /** Where this machine listens for the others; absent if NDS_NODE_ADDRESS is not set. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

export interface MachinesParts {
  readonly config: Config;
  readonly secret: string;
  readonly peers: Peers;
  readonly local: LocalReplyExchange;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly observer: Observer;
}

/** Rejects if it cannot listen at the address, or the database cannot store it. */
export async function joinMachines(parts: MachinesParts): Promise<Machines> {
  const { config, peers, local, clock, log } = parts;
  const key = forwardingKey(parts.secret);
  const forwarder = new ReplyForwarder({
    local,
    peers,
    key,
    clock,
    onFailed: reporter(log, clock),
  });
  const server =
    config.nodeAddress === undefined ? undefined : await listen(parts, config.nodeAddress, key);
  const close = async () => {
    forwarder.end();
    const closed = server?.close();
    server?.destroy();
    await closed;
  };
  try {
    const url = server && (await reachableUrl(server, config.database));
    if (url !== undefined) await peers.announce(url);
    return { exchange: forwarder, url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listen(
  { peers, local, clock, ids, observer }: MachinesParts,
  address: string,
  key: Uint8Array,
): Promise<RunningServer> {
  const app = createForwardedRepliesApp({ key, peers, clock, exchange: local, observer });
  const places = { ...parseAddress(address), maxConnections: MAX_CONNECTIONS, onRefused: () => {} };
  return await startServer(app, { clock, ids }, places);
}

/**
 * For a listener at all addresses, the address by which this machine reaches the database, since the others can reach
 * it too.
 */
async function reachableUrl({ host, port }: RunningServer, database: string): Promise<string> {
  const reachable = ANY_ADDRESS.includes(host)
    ? await addressTowards(new URL(database).hostname.replace(/^\[|\]$/g, ''))
    : host;
  return urlOf({ host: reachable, port });
}

/** Connecting a datagram socket sends nothing: the system only chooses the address that it would send from. */
async function addressTowards(host: string): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    const connected = once(socket, 'connect');
    socket.connect(ANY_PORT, address);
    await connected;
    return socket.address().address;
  } finally {
    socket.close();
  }
}

function reporter(log: Log, clock: Clock): (reason: ForwardFailure) => void {
  const reports = new Map<ForwardFailure, () => void>();
  return (reason) => {
    const count = (failed: number) =>
      log.say('warn', 'reply_not_forwarded', { count: failed, reason, remedy: REMEDIES[reason] });
    const report = reports.get(reason) ?? reportCounts(clock, REPORT_EVERY_MS, count);
    reports.set(reason, report);
    report();
  };
}
