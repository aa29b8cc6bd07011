// The whole core in virtual time over the store in memory. A test writes every answer of the providers in the adapters'
// own terms: a status with headers and body, or a failure of the transport.

import type { AppSettings } from '../../src/config/app-settings.ts';
import { type Config, isComplete, readSettings } from '../../src/config/config.ts';
import { CurrentRules } from '../../src/core/app-rules.ts';
import type { Origin } from '../../src/core/delivery.ts';
import type { ErrorDetails } from '../../src/core/errors.ts';
import type { Notification } from '../../src/core/notification.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import type {
  Provider,
  PushMessage,
  PushOptions,
  ReceiptKey,
} from '../../src/core/ports/provider.ts';
import { Skew } from '../../src/core/sending/attempts.ts';
import type { ProviderName, Recipient } from '../../src/core/target.ts';
import { rulesByApp } from '../../src/service/app-rules.ts';
import { type Core, recoverCore, wireCore } from '../../src/service/core.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryReceipts } from './memory-receipts.ts';
import { MemoryStore } from './memory-store.ts';
import type { SharedDatabase } from './shared-database.ts';
import { joinMachine, type Link } from './shared-machine.ts';

/** The fate of one push: when it ends, and whether the provider took it. */
export interface Fate {
  readonly outcome: Outcome;
  readonly endsAfterMs: number;
  readonly isTaken: boolean;
  /** An answer that comes after the deadline, counted from the start. */
  readonly late?: { readonly outcome: Outcome; readonly afterMs: number };
}

/** One push as the provider saw it. */
export interface Push {
  readonly id: string;
  readonly token: string;
  readonly atMs: number;
  readonly isTaken: boolean;
  readonly collapseId?: string | undefined;
  readonly receipt?: ReceiptKey | undefined;
}

export type Weather = (push: {
  readonly atMs: number;
  readonly token: string;
  readonly timeoutMs: number;
}) => Fate;

export const CALM: Weather = () => ({
  outcome: { kind: 'delivered' },
  endsAfterMs: 40,
  isTaken: true,
});

export interface VirtualCore {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly receipts: MemoryReceipts;
  readonly core: Core;
  readonly pushes: readonly Push[];
  readonly events: readonly ServiceEvent[];
  /** How the provider behaves from now on. */
  weather: Weather;
  /** Thrown by the adapter's next call of this name, as a bug would be. */
  readonly faults: Map<'prepare' | 'send', Error>;
  /** A request id. */
  newId(): string;
  /** Milliseconds since the beginning. */
  readonly atMs: number;
  /** The process dies and another starts over the same store after `downMs`. */
  restart(downMs?: number): Promise<void>;
}

export interface VirtualCoreOptions {
  readonly provider?: ProviderName;
  readonly environment?: Readonly<Record<string, string>>;
  /** For one of several machines over one database, which share one time. */
  readonly shared?: {
    readonly database: SharedDatabase;
    readonly clock: ManualClock;
    /** A digit that no other machine has. */
    readonly number: number;
    readonly link?: Link;
  };
  /** The settings of the app `default`; with receipts, their store is in memory, too. */
  readonly settings?: AppSettings | undefined;
}

export async function createVirtualCore(options: VirtualCoreOptions = {}): Promise<VirtualCore> {
  const { provider = 'fcm', environment = {}, settings = {}, shared } = options;
  const clock = shared?.clock ?? new ManualClock();
  const startMs = clock.nowMs();
  const store = shared?.database ?? new MemoryStore();
  const receipts = new MemoryReceipts(store);
  const pushes: Push[] = [];
  const events: ServiceEvent[] = [];
  const faults = new Map<'prepare' | 'send', Error>();
  const config = configOf(environment);
  let life = 0;
  let ids: ReturnType<typeof countedIds>;

  const begin = async (): Promise<Core> => {
    life += 1;
    const own = life;
    const isAlive = () => own === life;
    const ownClock = {
      wallMs: () => clock.wallMs(),
      nowMs: () => clock.nowMs(),
      after: (delayMs: number, task: () => void) => clock.after(delayMs, () => isAlive() && task()),
    };
    const machine =
      shared &&
      (await joinMachine(shared.database, {
        id: `machine ${shared.number}`,
        clock: ownClock,
        ...(shared.link && { link: shared.link }),
        onTakenOver: () => core.retrier.start(),
      }));
    ids = countedIds(shared?.number ?? own, () => clock.wallMs());
    const core = wireCore({
      config,
      rules: new CurrentRules(rulesByApp(config, [{ name: 'default', settings }])),
      clock: ownClock,
      ids,
      store: machine?.store ?? store,
      owner: machine?.owner,
      receiptStore: receipts,
      providers: [{ app: 'default', address: 'virtual', provider: providerOf(isAlive) }],
      observer: { observe: (event) => events.push(event) },
      skew: new Skew(ownClock),
    });
    await recoverCore(core, machine?.store ?? store, ownClock);
    core.retrier.start();
    return core;
  };

  const providerOf = (isAlive: () => boolean): Provider => ({
    name: provider,
    prepare: (message) => {
      throwFault('prepare');
      return { excessBytes: 0, send: (given) => send(message, given, isAlive) };
    },
    warm: () => Promise.resolve({ ready: true }),
    health: () => ({ ready: true }),
    traffic: () => ({ streams: 0, connectionsOpened: 0, connectionsFailed: 0 }),
    close: () => Promise.resolve(),
  });

  const throwFault = (name: 'prepare' | 'send'): void => {
    const fault = faults.get(name);
    faults.delete(name);
    if (fault !== undefined) throw fault;
  };

  const send = (message: PushMessage, given: PushOptions, isAlive: () => boolean) => {
    throwFault('send');
    const atMs = clock.nowMs() - startMs;
    const { token } = message;
    const fate = virtual.weather({ atMs, token, timeoutMs: given.timeoutMs });
    const { id, collapseId, receipt } = message;
    pushes.push({ id, token, atMs, isTaken: fate.isTaken, collapseId, receipt });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    clock.after(fate.endsAfterMs, () => isAlive() && resolve(fate.outcome));
    const { late } = fate;
    if (late !== undefined) {
      clock.after(late.afterMs, () => isAlive() && given.onLate?.(late.outcome));
    }
    return promise;
  };

  const virtual = {
    newId: () => ids.deliveryId(),
    clock,
    store,
    receipts,
    pushes,
    events,
    faults,
    weather: CALM as Weather,
    core: undefined as unknown as Core,
    get atMs() {
      return clock.nowMs() - startMs;
    },
    restart: async (downMs = 0) => {
      life += 1;
      await clock.run(downMs);
      virtual.core = await begin();
      await clock.run(0);
    },
  };
  virtual.core = await begin();
  return virtual;
}

/** A payment for a token of its own; `race` by default. */
export function notificationOf(given: Partial<Notification> = {}): Notification {
  const payload = given.payload ?? '{"payment_hash":"aa"}';
  return {
    type: 'payment_received',
    title: 'Incoming payment',
    lifetimeMs: 60_000,
    duplicateOf: { key: payload, windowMs: 25_000 },
    ...given,
    payload,
  };
}

export function recipientOf(token: string, provider: ProviderName = 'fcm'): Recipient {
  const platform = provider === 'apns' ? 'ios' : 'android';
  return { target: { app: 'default', platform, token }, source: 'notify' };
}

/** What a caller was answered so far. */
export interface Told {
  status?: string;
  code?: string;
  id?: string;
  details?: ErrorDetails;
  /** When it was answered, since the beginning of virtual time. */
  atMs?: number;
}

/** The origin of a call over HTTP, whose delivery has the id of its request. */
function originOf(virtual: VirtualCore): Origin {
  return {
    door: '/api/v1/notify',
    source: 'notify',
    requestId: virtual.newId(),
    isBroadcast: false,
  };
}

/** Calls for a token and fills in the answer when it comes. */
export function call(
  virtual: VirtualCore,
  token: string,
  given: Partial<Notification> & {
    readonly provider?: ProviderName;
    readonly deviceId?: string;
  } = {},
): Told {
  const { provider, deviceId, ...notification } = given;
  const told: Told = {};
  const recipient = recipientOf(token, provider);
  const payload = `{"payment_hash":"${token}"}`;
  virtual.core.dispatcher
    .accept(notificationOf({ payload, ...notification }), {
      ...recipient,
      origin: originOf(virtual),
      ...(deviceId === undefined ? {} : { deviceId }),
    })
    .then(
      ({ status, id }) => Object.assign(told, { status, id, atMs: virtual.atMs }),
      (error: { readonly code?: string; readonly details?: ErrorDetails }) =>
        Object.assign(told, {
          code: error.code ?? 'not a ServiceError',
          details: error.details,
          atMs: virtual.atMs,
        }),
    );
  return told;
}

function configOf(environment: Readonly<Record<string, string>>): Config {
  const faults: string[] = [];
  const { values } = readSettings({ NDS_TOKEN_RATE: '1000/1000', ...environment });
  if (!isComplete(values, faults)) throw new Error(faults.join('; '));
  return values;
}

/** Ids from a counter, and random numbers from a fixed sequence. */
function countedIds(life: number, wallMs: () => number) {
  let count = 0;
  const next = () => {
    count += 1;
    return count;
  };
  return {
    deliveryId: () => {
      const time = Math.floor(wallMs()).toString(16).padStart(12, '0');
      const end = String(next()).padStart(12, '0');
      return `${time.slice(0, 8)}-${time.slice(8)}-7000-800${life}-${end}`;
    },
    secret: () => `secret-${life}-${next()}`,
    fraction: () => (next() * 0.381966) % 1,
    fingerprint: (value: string) => `hash of ${value}`,
    deriveKey: (purpose: string) => Buffer.from(purpose),
  };
}
