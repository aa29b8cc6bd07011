// Stand-ins for APNs and FCM on loopback that speak the real protocols: for the demo, the tests and the benchmark. A
// service reaches them through an endpoint and a certificate authority in its configuration, like any other server.
import { type ApnsOptions, openApns } from './apns/server.ts';
import type { GoAway } from './connection.ts';
import { type Controlled, openControl } from './control.ts';
import { type Credentials, credentialsOf } from './credentials.ts';
import type { ConnectionStats, Endpoint } from './endpoint.ts';
import type { FaultRule } from './faults.ts';
import { openFcm } from './fcm/server.ts';
import { type Identity, sharedIdentity } from './identity.ts';
import { createMemory, type Memory } from './memory.ts';
import { type Outage, outageFault } from './outage.ts';
import type { After } from './perform-fault.ts';
import type { ProviderName, ReceivedPush, SandboxRequest } from './records.ts';

/** The types that the interface uses. */
export type { ConnectionStats } from './endpoint.ts';
export type { FaultRule } from './faults.ts';
export type { Identity } from './identity.ts';
export { OUTAGE_KINDS, type Outage } from './outage.ts';
export type { ReceivedPush, SandboxRequest } from './records.ts';

const HOST = '127.0.0.1';
const DEFAULT_TOPIC = 'com.example.wallet';
const DEFAULT_STREAMS = 1000;
const DEFAULT_KEPT = 100_000;
const GOOGLE_TOKEN_SECONDS = 3599;

export interface SandboxOptions {
  /** Keys and certificates; default: one set per process, made at the first start. */
  readonly identity?: Identity;
  /** Loopback addresses; default 127.0.0.1. The certificate names 127.0.0.1 to 127.0.0.3. */
  readonly apnsHost?: string | undefined;
  readonly fcmHost?: string | undefined;
  /** 0, the default, takes a free port. */
  readonly apnsPort?: number;
  readonly fcmPort?: number;
  readonly controlPort?: number;
  /**
   * Wall clock in ms for expiry and records; default Date.now. The age of credentials is checked only with Date.now.
   */
  readonly now?: () => number;
  /** Timer for delayed answers; default real time. */
  readonly after?: After | undefined;
  /** Bundle ids of the team; the first one is `apns.topic`. */
  readonly topics?: readonly string[];
  /** APNs' stream limit after the first valid push of a connection; default 1000. */
  readonly maxConcurrentStreams?: number;
  /** APNs sends GOAWAY after this many BadDeviceToken answers on one connection; default never. */
  readonly closeAfterBadTokens?: number;
  /** Lifetime of FCM's access tokens, seconds; default 3599. */
  readonly accessTokenSeconds?: number;
  /** FCM numbers its messages from here on, so that those of several stand-ins differ; default 1. */
  readonly firstMessage?: number;
  /** Pushes and requests kept, the oldest dropped first; default 100,000 each, 0 counts only. */
  readonly keepPushes?: number;
  readonly keepRequests?: number;
}

export interface Stats {
  readonly pushes: number;
  readonly requests: number;
  readonly apns: ConnectionStats;
  readonly fcm: ConnectionStats;
}

/** What happened. */
export interface Observations {
  /** The pushes that were taken, oldest first; with a token only those of that phone. */
  received(token?: string): readonly ReceivedPush[];
  /**
   * Resolves with the first `count` matching pushes, past ones included, at the moment the
   * last of them is taken. Rejects when the sandbox closes before.
   */
  waitFor(
    predicate: (push: ReceivedPush) => boolean,
    count: number,
  ): Promise<readonly ReceivedPush[]>;
  /** The same for requests, including the refused and the hanging ones. */
  waitForRequests(
    predicate: (request: SandboxRequest) => boolean,
    count: number,
  ): Promise<readonly SandboxRequest[]>;
  /** Called synchronously for every push taken; returns a function that stops it. */
  onPush(listener: (push: ReceivedPush) => void): () => void;
  /** Every request, oldest first, the refused ones included. */
  requests(): readonly SandboxRequest[];
  connections(): { readonly apns: ConnectionStats; readonly fcm: ConnectionStats };
  stats(): Stats;
}

/** What can be done with the stand-ins. */
export interface Actions {
  /** Adds a fault; rules for one token come before rules for any token, older before newer. */
  script(fault: FaultRule): void;
  /** Forgets the scripted faults; an outage continues. */
  clearFaults(): void;
  /** Forgets pushes, requests and faults; connections, their counts and outages stay. */
  reset(): void;
  /** GOAWAY on every open HTTP/2 connection now; each closes when its streams are done. */
  goAway(provider: ProviderName, options?: GoAway): void;
  /**
   * true: stops listening, so that a connect is refused; open connections stay unless `reset` is given. false: listens
   * again on the same port; resolves when it does.
   */
  refuseConnections(
    provider: ProviderName,
    refuse: boolean,
    options?: { readonly reset?: boolean },
  ): Promise<void>;
  /** The open connections go silent permanently, without a close; new ones work. */
  blackhole(provider: ProviderName): void;
  /**
   * The provider fails for every token until `endOutage`, before any scripted fault. A second outage replaces the
   * first.
   */
  startOutage(provider: ProviderName, outage: Outage): Promise<void>;
  endOutage(provider: ProviderName): Promise<void>;
  /** SETTINGS_MAX_CONCURRENT_STREAMS on the open connections, permanently; new ones get the usual limit. */
  limitStreams(provider: ProviderName, maxConcurrentStreams: number): void;
  /** Makes the access tokens given out so far invalid: FCM answers them with a 401 without FcmError details. */
  revokeAccessTokens(): void;
}

export interface Sandbox extends Credentials, Observations, Actions {
  /** Plain HTTP on loopback; the routes are described in `control.ts`. */
  readonly controlUrl: string;
  /** Closes every connection and timer, and leaves no handle open. */
  close(): Promise<void>;
}

/** Starts both stand-ins and the control route on 127.0.0.1. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const identity = options.identity ?? (await sharedIdentity());
  const memory = createMemory({
    now: options.now ?? Date.now,
    after: options.after,
    keepPushes: options.keepPushes ?? DEFAULT_KEPT,
    keepRequests: options.keepRequests ?? DEFAULT_KEPT,
  });
  const started: Closable[] = [];
  const close = async (): Promise<void> => {
    memory.delays.clear();
    memory.pushes.close();
    memory.requests.close();
    await Promise.all(started.map((server) => server.close()));
  };
  try {
    const topics = options.topics ?? [DEFAULT_TOPIC];
    const apns = await openApns(apnsOptionsOf(options, { identity, topics }), memory);
    started.push(apns);
    const { accessTokenSeconds = GOOGLE_TOKEN_SECONDS, firstMessage = 1 } = options;
    const address = { host: options.fcmHost ?? HOST, port: options.fcmPort ?? 0 };
    const fcm = await openFcm({ identity, address, accessTokenSeconds, firstMessage }, memory);
    started.push(fcm.endpoint);
    const controlled: Controlled = {
      ...credentialsOf(identity, {
        apnsUrl: apns.url,
        fcmUrl: fcm.endpoint.url,
        tokenUrl: fcm.tokenUrl,
        topic: topics[0] ?? DEFAULT_TOPIC,
      }),
      ...observe(memory, { apns, fcm: fcm.endpoint }),
      ...act(memory, { apns, fcm: fcm.endpoint }),
      revokeAccessTokens: fcm.revokeAccessTokens,
    };
    const control = await openControl(controlled, options.controlPort ?? 0);
    started.push(control);
    return { ...controlled, controlUrl: control.url, close };
  } catch (error) {
    // If one port is taken, the others must not stay open.
    await close();
    throw error;
  }
}

interface Closable {
  close(): Promise<void>;
}

type Endpoints = Readonly<Record<ProviderName, Endpoint>>;

function apnsOptionsOf(
  options: SandboxOptions,
  { identity, topics }: { identity: Identity; topics: readonly string[] },
): ApnsOptions {
  return {
    identity,
    judgesAge: options.now === undefined,
    topics,
    address: { host: options.apnsHost ?? HOST, port: options.apnsPort ?? 0 },
    maxConcurrentStreams: options.maxConcurrentStreams ?? DEFAULT_STREAMS,
    closeAfterBadTokens: options.closeAfterBadTokens ?? Infinity,
  };
}

function observe(memory: Memory, endpoints: Endpoints): Observations {
  const connections = () => ({ apns: endpoints.apns.stats(), fcm: endpoints.fcm.stats() });
  return {
    received(token) {
      const pushes = memory.pushes.entries();
      return token === undefined ? pushes : pushes.filter((push) => push.token === token);
    },
    waitFor: memory.pushes.waitFor,
    waitForRequests: memory.requests.waitFor,
    onPush: memory.pushes.listen,
    requests: memory.requests.entries,
    connections,
    stats: () => ({
      pushes: memory.pushes.count,
      requests: memory.requests.count,
      ...connections(),
    }),
  };
}

function act(memory: Memory, endpoints: Endpoints): Omit<Actions, 'revokeAccessTokens'> {
  /** The providers that an outage closed; after `refuseConnections` only its caller opens again. */
  const refusing = new Set<ProviderName>();
  const endOutage = async (provider: ProviderName): Promise<void> => {
    memory.faults.setOutage(provider, undefined);
    if (refusing.delete(provider)) await endpoints[provider].accept();
  };
  return {
    script: memory.faults.add,
    clearFaults: memory.faults.clear,
    reset() {
      memory.faults.clear();
      memory.pushes.clear();
      memory.requests.clear();
    },
    goAway(provider, goAway = {}) {
      endpoints[provider].goAway(goAway);
    },
    async refuseConnections(provider, refuse, { reset = false } = {}) {
      if (refuse) endpoints[provider].refuse({ reset });
      else await endpoints[provider].accept();
    },
    blackhole(provider) {
      endpoints[provider].freeze();
    },
    async startOutage(provider, outage) {
      await endOutage(provider);
      memory.faults.setOutage(provider, outageFault(outage, provider));
      if (outage.kind !== 'refused') return;
      refusing.add(provider);
      endpoints[provider].refuse({ reset: true });
    },
    endOutage,
    limitStreams(provider, maxConcurrentStreams) {
      for (const connection of endpoints[provider].open())
        connection.fixStreams(maxConcurrentStreams);
    },
  };
}
