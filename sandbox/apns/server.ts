// The stand-in for Apple's push servers: HTTP/2 over TLS, one stream until the first
// valid push, and Apple's answers. Apple: "Sending notification requests to APNs".
import { randomUUID } from 'node:crypto';
import type { Connection } from '../connection.ts';
import { type Address, type Endpoint, openEndpoint } from '../endpoint.ts';
import type { Exchange } from '../exchange.ts';
import type { Identity } from '../identity.ts';
import type { Memory } from '../memory.ts';
import { performFault } from '../perform-fault.ts';
import type { ApnsPush, ReceivedPush } from '../records.ts';
import { type CheckedRequest, type CheckOptions, checkRequest } from './checks.ts';
import { createProviderTokenCheck } from './provider-token.ts';
import { titleOf } from './push-type.ts';
import { apnsErrorBody, apnsReasons } from './reasons.ts';

/**
 * The collapse id by which the service's proof of its credentials is recognised. The proof is a push to a token that no
 * phone has, but the stand-in knows no phones and would take every token.
 */
const PROOF_COLLAPSE_ID = 'nds-doctor';

export interface ApnsOptions {
  readonly identity: Identity;
  /** Whether provider tokens that are too old, or from the future, are refused. */
  readonly judgesAge: boolean;
  readonly address: Address;
  readonly topics: readonly string[];
  /** The stream limit after a connection's first valid push; before, it is 1. */
  readonly maxConcurrentStreams: number;
  /** GOAWAY after this many BadDeviceToken answers on one connection; Infinity: never. */
  readonly closeAfterBadTokens: number;
}

export async function openApns(options: ApnsOptions, memory: Memory): Promise<Endpoint> {
  const providerTokens = createProviderTokenCheck(options);
  const checks: CheckOptions = { providerTokens, topics: options.topics };
  const raised = new WeakSet<Connection>();

  function onAccepted(connection: Connection): void {
    if (raised.has(connection)) return;
    raised.add(connection);
    connection.allowStreams(options.maxConcurrentStreams);
  }

  function onRefused(connection: Connection, reason: string): void {
    if (reason === 'ExpiredProviderToken') providerTokens.forget(connection);
    if (reason !== 'BadDeviceToken') return;
    connection.invalidTokens += 1;
    if (connection.invalidTokens === options.closeAfterBadTokens) connection.goAway({ reason });
  }

  function handle(exchange: Exchange): void {
    const { connection } = exchange;
    const checked = checkRequest(exchange, checks);
    const result =
      checked.outcome.refused === undefined
        ? decide(exchange, { checked, push: checked.outcome.push, memory })
        : refuse(exchange, { id: checked.id, reason: checked.outcome.refused });
    if (result.accepted) onAccepted(connection);
    else if (result.reason !== undefined) onRefused(connection, result.reason);
    memory.requests.add({
      provider: 'apns',
      token: checked.token,
      status: result.status,
      reason: result.reason,
      id: checked.id,
      scripted: result.scripted,
      connection: connection.number,
      stream: exchange.stream,
      receivedAtMs: memory.now(),
    });
  }

  return openEndpoint({
    identity: options.identity,
    address: options.address,
    http1: false,
    initialStreams: 1,
    handle,
  });
}

interface Decision {
  readonly accepted: boolean;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly scripted: boolean;
}

function refuse(
  exchange: Exchange,
  { id, reason }: { id: string; reason: keyof typeof apnsReasons },
): Decision {
  const status = apnsReasons[reason];
  const body = apnsErrorBody(reason, undefined);
  exchange.answer({ status, headers: { 'apns-id': id }, body });
  return { accepted: false, status, reason, scripted: false };
}

function decide(
  exchange: Exchange,
  { checked, push, memory }: { checked: CheckedRequest; push: ApnsPush; memory: Memory },
): Decision {
  const { id, token = '' } = checked;
  const headers = { 'apns-id': id };
  // Apple's sandbox environment adds a second id, by which its push console finds the push.
  const success = { status: 200, headers: { ...headers, 'apns-unique-id': randomUUID() } };
  const nowMs = memory.now();
  const fault = memory.faults.take('apns', token);
  if (fault === undefined && push.collapseId === PROOF_COLLAPSE_ID) {
    return refuse(exchange, { id, reason: 'BadDeviceToken' });
  }
  if (fault === undefined) {
    exchange.answer(success);
    memory.pushes.add(record(push, { token, exchange, nowMs }));
    return { accepted: true, status: 200, reason: undefined, scripted: false };
  }
  const context = { exchange, success, headers, delays: memory.delays, nowMs };
  const result = performFault(fault, context);
  if (result.accepted) memory.pushes.add(record(push, { token, exchange, nowMs }));
  return { ...result, scripted: true };
}

function record(
  push: ApnsPush,
  { token, exchange, nowMs }: { token: string; exchange: Exchange; nowMs: number },
): ReceivedPush {
  const data: Record<string, string> = {};
  for (const [key, value] of Object.entries(push.payload)) {
    if (key !== 'aps') data[key] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  const { expiration } = push;
  return {
    provider: 'apns',
    platform: 'ios',
    token,
    title: titleOf(push.payload),
    data,
    // An expiration of 0 means one try without storing, not an expiry in the past.
    expired: expiration !== undefined && expiration > 0 && expiration * 1000 < nowMs,
    apns: push,
    connection: exchange.connection.number,
    receivedAtMs: nowMs,
  };
}
