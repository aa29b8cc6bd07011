// What the provider tests share: a sandbox that ends with its test, providers that reach it, and messages.

import { onTestFinished } from 'vitest';
import type { ProviderName } from '../../sandbox/records.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import type { Provider, PushMessage, PushOptions } from '../../src/core/ports/provider.ts';
import { createApnsProvider } from '../../src/providers/apns/apns-provider.ts';
import { AccessTokenCache } from '../../src/providers/fcm/access-token-cache.ts';
import { readCredentials } from '../../src/providers/fcm/credential-file.ts';
import { createFcmProvider } from '../../src/providers/fcm/fcm-provider.ts';
import { trustAlso } from '../../src/providers/http2/connect.ts';
import type { ConnectionEvent } from '../../src/providers/http2/provider-client.ts';
import { createSystemClock } from '../../src/service/system.ts';

export const TOKENS = { apns: 'ab'.repeat(32), fcm: 'phone-token:APA91b' } as const;

export const SEND_OPTIONS = { waitMs: 2_000, timeoutMs: 2_000, trust: 'proven' } as const;

export async function openSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox(options);
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** An access token that the sandbox accepts. */
export async function accessTokenOf(sandbox: Sandbox): Promise<string> {
  const credential = new AccessTokenCache({
    json: await readCredentials(sandbox.fcm.serviceAccount),
    projectId: 'nds-sandbox',
    authorities: trustAlso(sandbox.ca),
    clock: createSystemClock(),
  });
  onTestFinished(() => credential.close());
  const result = await credential.wait(2_000);
  if (result.kind === 'failure') throw new Error(result.outcome.kind);
  return (result.token.headers.authorization ?? '').replace('Bearer ', '');
}

export interface OpenedProvider {
  readonly provider: Provider;
  readonly events: ConnectionEvent[];
  /** Sends to the usual token by default. */
  send(options?: TestPushOptions): Promise<Outcome>;
}

interface TestPushOptions extends Partial<PushOptions> {
  readonly token?: string;
}

export interface OpenOptions {
  readonly clock?: Clock;
  /** If `undefined`, only the system's authorities are trusted. */
  readonly ca?: string | undefined;
  readonly endpoint?: string;
  readonly maxInFlight?: number;
  readonly onServerDate?: (unixMs: number) => void;
  /** The test closes it itself. */
  readonly keepOpen?: boolean;
}

/** A provider that reaches the sandbox; closed when the test ends. */
export async function openProvider(
  name: ProviderName,
  sandbox: Sandbox,
  options: OpenOptions = {},
): Promise<OpenedProvider> {
  const events: ConnectionEvent[] = [];
  const ca = 'ca' in options ? options.ca : sandbox.ca;
  const common = {
    clock: options.clock ?? createSystemClock(),
    endpoint: options.endpoint ?? sandbox[name].url,
    onEvent: (event: ConnectionEvent) => events.push(event),
    ca,
    maxInFlight: options.maxInFlight,
  };
  const { key, keyId, teamId, topic } = sandbox.apns;
  const provider =
    name === 'apns'
      ? createApnsProvider({ key, keyId, teamId, topic, ...common })
      : await createFcmProvider({
          credentials: sandbox.fcm.serviceAccount,
          onServerDate: options.onServerDate,
          ...common,
        });
  if (options.keepOpen !== true) onTestFinished(() => provider.close());
  return {
    provider,
    events,
    send: ({ token = TOKENS[name], ...options } = {}) =>
      provider.prepare(messageTo(name, token)).send({ ...SEND_OPTIONS, ...options }),
  };
}

let messages = 0;

export function messageTo(name: ProviderName, token: string): PushMessage {
  messages += 1;
  return {
    id: `00000000-0000-7000-8000-${messages.toString(16).padStart(12, '0')}`,
    platform: name === 'apns' ? 'ios' : 'android',
    token,
    type: 'payment_received',
    payload: '{"payment_hash":"00"}',
    title: 'Incoming payment',
    expiresAtUnixSeconds: Math.floor(Date.now() / 1_000) + 60,
    remainingMs: 60_000,
  };
}

/** Lets the event loop do what is due: sockets are read, immediates run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How many times a connection was opened so far. */
export function connected(events: readonly ConnectionEvent[]): number {
  return events.filter(({ kind }) => kind === 'connected').length;
}
