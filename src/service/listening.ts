// Where the service listens: addresses from the settings and as URLs, and the server at the public one.

import type { Config } from '../config/config.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { EventNamed, Observer } from '../core/ports/observer.ts';
import type { App } from '../http/app.ts';
import { reportCounts } from '../http/limits/counted-reports.ts';
import { type RunningServer, startServer } from '../http/server.ts';
import type { Log } from '../observe/log.ts';

/** Connections beyond the limit get no answer, so the log counts them. */
const REFUSALS_REPORTED_EVERY_MS = 10_000;

/** A request that the app never saw. */
const MALFORMED_REQUEST: EventNamed<'request_answered'> = {
  name: 'request_answered',
  method: '_OTHER',
  route: '*',
  status: 400,
  durationMs: 0,
  isCall: false,
  code: 'bad_request',
  refused: [{ code: 'bad_request', hasDomain: false }],
};

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[IPv6]:PORT`, or `:PORT` for every address, IPv4 and IPv6 alike. */
export function parseAddress(address: string): HostAndPort {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: host === '' ? '::' : host, port: Number(address.slice(colon + 1)) };
}

export function urlOf({ host, port }: HostAndPort): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export interface ListenParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly observer: Observer;
}

/** Serves callers and devices at the configured address. */
export async function listen(app: App, parts: ListenParts): Promise<RunningServer> {
  const { config, clock, ids, log, observer } = parts;
  const { maxConnections } = config;
  const places = {
    ...parseAddress(config.httpAddress ?? `:${config.port}`),
    maxConnections,
    onMalformed: (requestId: string) => observer.observe({ ...MALFORMED_REQUEST, requestId }),
    onRefused: reportCounts(clock, REFUSALS_REPORTED_EVERY_MS, (count) =>
      log.say('error', 'connections_refused', { count, max: maxConnections }),
    ),
  };
  return await startServer(app, { clock, ids }, places);
}
