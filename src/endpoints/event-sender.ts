// POSTs events by Node's own http and https: separate connections, every address checked when it is dialled, no
// redirects, no proxy except the one that is configured for events. Little of an answer is read, and nothing kept.

import { lookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { SendFailure } from '../core/events/send-failures.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { EventSender, SendResult } from '../core/ports/events.ts';
import { parseRetryAfter } from '../providers/http2/retry-after.ts';
import {
  type AddressRules,
  faultOfTarget,
  faultOfUrl,
  judgeAddress,
  literalOf,
} from './address.ts';

const TIMEOUT_MS = 15_000;
const MAX_READ_BYTES = 16_384;
const MAX_HEADER_BYTES = 16_384;
const MAX_SOCKETS_PER_HOST = 4;
const KEEP_ALIVE_MS = 30_000;

interface Address {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly Address[]>;

export interface EventSenderOptions extends AddressRules {
  readonly clock: Clock;
  readonly resolve?: Resolve | undefined;
  /** Used for all calls except those to the vendor's own networks. It dials, so names can only be checked before. */
  readonly proxy?: URL | undefined;
  /** PEM of authorities that are trusted beside Node's own. */
  readonly ca?: string | undefined;
}

const UNKNOWN_HOST = 'must hold a host name that can be looked up';

interface Route {
  /** Why no call may go there. */
  readonly fault?: string | undefined;
  readonly agent?: http.Agent | undefined;
}

class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
}

class UnknownHostError extends Error {
  override readonly name = 'UnknownHostError';
  readonly code = 'EAI_AGAIN';
}

export function createEventSender(options: EventSenderOptions): EventSender {
  const { clock } = options;
  const resolve = boundedResolve(options.resolve ?? resolveAll, clock);
  const agentOptions = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS_PER_HOST,
    timeout: KEEP_ALIVE_MS,
  };
  const lookupFor = (protocol: string) => checkedLookup(options, { resolve, protocol });
  const proxied = new https.Agent({
    ...agentOptions,
    ca: options.ca,
    proxyEnv: { HTTPS_PROXY: options.proxy?.href },
  });
  const agents = {
    'http:': new http.Agent({ ...agentOptions, lookup: lookupFor('http:') }),
    'https:': new https.Agent({ ...agentOptions, lookup: lookupFor('https:'), ca: options.ca }),
  };

  const addressesOf = async (url: URL): Promise<readonly string[]> => {
    const literal = literalOf(url);
    if (literal !== undefined) return [literal];
    const found = await resolve(url.hostname).catch(() => []);
    return found.map(({ address }) => address);
  };
  const routeOf = async (text: string): Promise<Route> => {
    const fault = faultOfUrl(text);
    if (fault !== undefined) return { fault };
    const url = new URL(text);
    const isSecure = url.protocol === 'https:';
    const addresses = await addressesOf(url);
    if (addresses.length === 0) {
      // A closed network may be unable to resolve outside names; its proxy can.
      if (options.proxy !== undefined && isSecure) return { agent: proxied };
      return { fault: UNKNOWN_HOST };
    }
    const wrong = faultOfTarget(url, addresses, options);
    if (wrong !== undefined) return { fault: wrong };
    if (!isSecure) return { agent: agents['http:'] };
    const isOwn = addresses.every((address) => judgeAddress(address, options) === 'own');
    return { agent: options.proxy === undefined || isOwn ? agents['https:'] : proxied };
  };

  return {
    faultOf: async (text) => (await routeOf(text)).fault,

    async send({ url: text, headers, body }) {
      const { fault, agent } = await routeOf(text);
      if (fault !== undefined) {
        return {
          kind: 'failed',
          reason: fault === UNKNOWN_HOST ? 'unknown_host' : 'address_refused',
        };
      }
      const request = (agent instanceof https.Agent ? https : http).request(text, {
        method: 'POST',
        agent,
        maxHeaderSize: MAX_HEADER_BYTES,
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'nds',
        },
      });
      return await answerOf(request, body, clock);
    },

    close() {
      agents['http:'].destroy();
      agents['https:'].destroy();
      proxied.destroy();
    },
  };
}

/** The check uses the lookup of the connection itself, so that no later answer can differ from the checked one. */
function checkedLookup(
  rules: AddressRules,
  { resolve, protocol }: { readonly resolve: Resolve; readonly protocol: string },
): LookupFunction {
  const isAllowed = ({ address }: Address) => {
    const judged = judgeAddress(address, rules);
    return judged === 'own' || (judged === 'public' && protocol === 'https:');
  };
  return (hostname, { all }, callback) => {
    const check = async (): Promise<readonly Address[]> => {
      const found = await resolve(hostname);
      if (found.length > 0 && found.every(isAllowed)) return found;
      throw new RefusedAddressError('an address is not allowed');
    };
    check().then(
      (found) => {
        const [first] = found;
        if (all === true) callback(null, [...found]);
        else callback(null, first?.address ?? '', first?.family);
      },
      (error: Error) => callback(error, '', 0),
    );
  };
}

function resolveAll(hostname: string): Promise<readonly Address[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true, verbatim: true }, (error, found) => {
      if (error) reject(error);
      else resolve(found);
    });
  });
}

/**
 * One name at a time, and none for longer than a call may take. Node looks up two names at once in the whole process:
 * the other place stays free for Apple and Google.
 */
function boundedResolve(resolve: Resolve, clock: Clock): Resolve {
  let last: Promise<unknown> = Promise.resolve();
  return (hostname) => {
    const found = last.then(() => resolve(hostname));
    last = found.catch(() => undefined);
    const limit = Promise.withResolvers<never>();
    const timer = clock.after(TIMEOUT_MS, () => limit.reject(new UnknownHostError('no answer')));
    return Promise.race([found, limit.promise]).finally(() => timer.cancel());
  };
}

/** Only the status counts; the body is read within bounds, so that the connection can be reused, and discarded. */
function answerOf(request: http.ClientRequest, body: string, clock: Clock): Promise<SendResult> {
  const { promise, resolve } = Promise.withResolvers<SendResult>();
  const limit = clock.after(TIMEOUT_MS, () => {
    // Registered first, because a request that waits for its tunnel does not report its end.
    resolve({ kind: 'failed', reason: 'timeout' });
    request.destroy();
  });
  request.on('response', (response) => {
    const { statusCode = 0, headers } = response;
    const retryAfterMs = parseRetryAfter(headers['retry-after'], clock.wallMs());
    resolve({ kind: 'answered', status: statusCode, retryAfterMs });
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_READ_BYTES) request.destroy();
    });
    // A failure after the status changes nothing.
    response.on('error', () => undefined);
  });
  request.on('error', (error) => resolve({ kind: 'failed', reason: failureOf(error) }));
  request.on('close', () => {
    limit.cancel();
    resolve({ kind: 'failed', reason: 'connection_lost' });
  });
  request.end(body);
  return promise;
}

function failureOf(error: Error): SendFailure {
  if (error instanceof RefusedAddressError) return 'address_refused';
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'unknown_host';
  if (code === 'ECONNREFUSED') return 'connection_refused';
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code)) return 'bad_certificate';
  return 'connection_lost';
}
