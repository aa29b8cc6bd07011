// The stand-in for Google's side, over HTTP/2 and HTTP/1.1: FCM HTTP v1, and on the
// same port the token endpoint of Google's OAuth.
import { type Address, type Endpoint, openEndpoint } from '../endpoint.ts';
import type { Exchange } from '../exchange.ts';
import type { Identity } from '../identity.ts';
import type { Memory } from '../memory.ts';
import { performFault } from '../perform-fault.ts';
import { createOAuth, GOOGLE_TOKEN_URL, type OAuth } from './oauth.ts';
import { createSend, type Decision, refuse } from './send.ts';

/** As Google's front ends allow. */
const MAX_STREAMS = 100;
const SEND_PATH = /^\/v1\/projects\/([^/]+)\/messages:send$/;
const NOT_FOUND_PAGE = '<!DOCTYPE html>\n<html><title>Error 404 (Not Found)!!1</title></html>\n';

export interface FcmOptions {
  readonly identity: Identity;
  readonly address: Address;
  /** `expires_in` of access tokens, seconds. */
  readonly accessTokenSeconds: number;
  readonly firstMessage: number;
}

export interface Fcm {
  readonly endpoint: Endpoint;
  readonly tokenUrl: string;
  revokeAccessTokens(): void;
}

export async function openFcm(options: FcmOptions, memory: Memory): Promise<Fcm> {
  const { identity, address, accessTokenSeconds, firstMessage } = options;
  let tokenUrl = '';
  const oauth = createOAuth({
    identity,
    lifetimeSeconds: accessTokenSeconds,
    ownTokenUrl: () => tokenUrl,
  });
  const send = createSend({ projectId: identity.projectId, oauth, memory, firstMessage });

  function route(exchange: Exchange): { provider: 'oauth' | 'fcm'; decision: Decision } {
    if (exchange.method === 'POST') {
      if (exchange.path === '/token') {
        return { provider: 'oauth', decision: giveToken(exchange, { oauth, memory }) };
      }
      const project = SEND_PATH.exec(exchange.path)?.[1];
      if (project !== undefined) return { provider: 'fcm', decision: send(exchange, project) };
    }
    const headers = { 'content-type': 'text/html; charset=UTF-8' };
    const decision = refuse(exchange, { status: 404, headers, body: NOT_FOUND_PAGE });
    return { provider: 'fcm', decision };
  }

  const endpoint = await openEndpoint({
    identity,
    address,
    http1: true,
    initialStreams: MAX_STREAMS,
    handle(received) {
      const exchange = dated(received, memory.now());
      const { provider, decision } = route(exchange);
      memory.requests.add({
        provider,
        ...decision,
        connection: exchange.connection.number,
        stream: exchange.stream,
        receivedAtMs: memory.now(),
      });
    },
  });
  // On port 443 the stand-in takes Google's own address, for senders that know no other.
  tokenUrl = endpoint.url.endsWith(':443') ? GOOGLE_TOKEN_URL : `${endpoint.url}/token`;
  return { endpoint, tokenUrl, revokeAccessTokens: oauth.revokeAll };
}

/** Google's answers have a date; here it is from the sandbox's own clock, which a test may have set. */
function dated(exchange: Exchange, nowMs: number): Exchange {
  const date = new Date(nowMs).toUTCString();
  return {
    ...exchange,
    answer: ({ headers, ...answer }) =>
      exchange.answer({ ...answer, headers: { date, ...headers } }),
  };
}

function giveToken(
  exchange: Exchange,
  { oauth, memory }: { oauth: OAuth; memory: Memory },
): Decision {
  const { answer, refusal } = oauth.exchange(exchange.body.toString());
  const fault = refusal === undefined ? memory.faults.take('oauth', undefined) : undefined;
  const common = { token: undefined, id: undefined };
  if (fault === undefined) {
    exchange.answer(answer);
    return { ...common, status: answer.status, reason: refusal?.error, scripted: false };
  }
  const { status, reason } = performFault(fault, {
    exchange,
    success: answer,
    headers: {},
    delays: memory.delays,
    nowMs: memory.now(),
  });
  return { ...common, status, reason, scripted: true };
}
