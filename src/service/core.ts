// Wires the core's classes to each other. The service and the simulation are built by this one function, so that what
// is proven for one holds for the other.

import type { Config } from '../config/config.ts';
import { Asker } from '../core/answering/asker.ts';
import { Dispatcher } from '../core/answering/dispatcher.ts';
import { findLane } from '../core/answering/find-lane.ts';
import { replyIdOf } from '../core/answering/forwarding.ts';
import type { CurrentRules } from '../core/app-rules.ts';
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { ReceiptStore } from '../core/ports/receipts.ts';
import { LocalReplyExchange } from '../core/ports/replies.ts';
import { type Store, StoreUnavailableError } from '../core/ports/store.ts';
import { Pulse } from '../core/receipts/pulse.ts';
import { Receipts } from '../core/receipts/receipts.ts';
import { Recorder, type RecorderParts } from '../core/records/recorder.ts';
import type { Skew } from '../core/sending/attempts.ts';
import { Ledger } from '../core/sending/ledger.ts';
import { Retrier } from '../core/sending/retrier.ts';
import { Sender } from '../core/sending/sender.ts';
import { Doubt } from '../core/tokens/doubt.ts';
import { Duplicates } from '../core/tokens/duplicates.ts';
import { Limits } from '../core/tokens/limits.ts';
import { Quarantine } from '../core/tokens/quarantine.ts';
import { AppLanes } from './lanes.ts';
import type { AppProvider } from './providers.ts';

/** Short, because a wrong setting that made a token bad may be corrected at any time. */
const BAD_TOKEN_MS = 10 * 60_000;
/** Callers that may wait for one device's reply: a phone that does not answer must not use up all waits. */
const MAX_WAITS_PER_TARGET = 8;
/**
 * The longest wait for a place in flight: a second less than the default of NDS_ANSWER_DEADLINE. After that the
 * delivery is stored for later.
 */
const MAX_QUEUE_MS = 4_000;
/** Tokens that are known to work take 100 bytes each; a key or a quarantined token up to 450. */
const PROVEN_PER_REMEMBERED = 2;

/** The objects of the core in one process. */
export interface Core {
  readonly owner: string;
  /** How many keys and tokens are kept in memory, each kind on its own. */
  readonly remembered: number;
  readonly lanes: AppLanes;
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly doubt: Doubt;
  readonly skew: Skew;
  readonly duplicates: Duplicates;
  readonly sender: Sender;
  readonly retrier: Retrier;
  readonly dispatcher: Dispatcher;
  readonly exchange: LocalReplyExchange;
  readonly asker: Asker;
  /** Absent in a core without a store for them. */
  readonly receipts: Receipts | undefined;
  draining: boolean;
}

export function wireCore(given: {
  readonly config: Config;
  readonly rules: CurrentRules;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly receiptStore?: ReceiptStore | undefined;
  readonly providers: readonly AppProvider[];
  readonly observer: Observer;
  readonly skew: Skew;
  /** The name of this machine in a store that several share. */
  readonly owner?: string | undefined;
}): Core {
  const { config, rules, clock, ids, store, observer, skew } = given;
  const { remembered } = config;
  const policy: Policy = {
    ...DEFAULT_POLICY,
    attemptTimeoutMs: config.attemptTimeoutMs,
    probeTimeoutMs: Math.min(DEFAULT_POLICY.probeTimeoutMs, config.attemptTimeoutMs),
    answerDeadlineMs: config.answerDeadlineMs,
  };
  const lanes = new AppLanes(given.providers, clock, laneOptions(config));
  const { owner = ids.secret() } = given;
  const doubt = new Doubt(clock);
  const ledger = new Ledger({
    store,
    clock,
    observer,
    onRecovered: () => retrier.start(),
  });
  const quarantine = new Quarantine(clock, {
    unregisteredMs: config.quarantineMs,
    badTokenMs: BAD_TOKEN_MS,
    maxEntries: remembered,
    maxProvenTokens: PROVEN_PER_REMEMBERED * remembered,
  });
  const duplicates = new Duplicates(clock, { maxKeys: remembered });
  const limits = new Limits(clock, {
    perToken: config.tokenRate,
    rules,
    global: config.globalRate,
    maxTokens: remembered,
  });
  const receipts =
    given.receiptStore &&
    new Receipts({
      ...{ rules, clock, ids, policy, ledger, quarantine, doubt, skew, observer },
      store: given.receiptStore,
      pulse: new Pulse(),
      externalUrl: config.externalUrl,
      onProviderBack: (lane) => void retrier.providerIsBack(lane),
      laneOf: (target) => findLane(lanes, target),
      sender: () => sender,
    });
  const sender = new Sender({
    owner,
    clock,
    ids,
    policy,
    ledger,
    store,
    quarantine,
    doubt,
    duplicates,
    skew,
    observer,
    receipts,
    mayRetry: (leasedAtMs) => store.mayRetry(leasedAtMs),
    onDelivered: receipts && ((delivery) => receipts.delivered(delivery)),
    onQueued: (lane, dueAtMs) => retrier.expect(lane, dueAtMs),
    onProviderBack: (lane) => void retrier.providerIsBack(lane),
  });
  const retrier = new Retrier({
    owner,
    clock,
    policy,
    store,
    ledger,
    sender,
    observer,
    lanes: lanes.all,
  });
  const dispatcher = new Dispatcher({
    owner,
    clock,
    ids,
    policy,
    store,
    ledger,
    sender,
    quarantine,
    duplicates,
    limits,
    lanes,
    observer,
    onRenewed: (lane, dueAtMs) => retrier.expect(lane, dueAtMs),
  });
  const exchange = new LocalReplyExchange(() => replyIdOf(given.owner, ids.secret()));
  const asker = new Asker(
    { clock, ids, ledger, sender, dispatcher, exchange, observer, receipts },
    { maxWaits: config.maxReplyWaits, maxWaitsPerTarget: MAX_WAITS_PER_TARGET },
  );
  return {
    owner,
    remembered,
    lanes,
    ledger,
    quarantine,
    doubt,
    skew,
    duplicates,
    sender,
    retrier,
    dispatcher,
    exchange,
    asker,
    receipts,
    draining: false,
  };
}

function laneOptions(config: Config) {
  return {
    maxInFlight: config.maxInFlight,
    maxUnprovenInFlight: Math.max(1, Math.floor(config.maxInFlight / 4)),
    maxQueued: config.maxQueued,
    maxQueueMs: MAX_QUEUE_MS,
  };
}

/** What listens to the core for the log. */
export function createRecorder(
  { lanes, ledger, quarantine }: Core,
  given: Pick<RecorderParts, 'clock' | 'records' | 'observer'>,
): Recorder {
  return new Recorder({
    ...given,
    isStoreSick: () => ledger.trouble !== undefined,
    isKnownToken: (tokenHash) =>
      quarantine.trustOf(tokenHash) === 'proven' ||
      quarantine.find(tokenHash)?.kind === 'unregistered',
    hasApp: (name) => lanes.hasApp(name),
    isMisconfigured: ({ app, provider }) => {
      const lane = lanes.all.find((one) => one.app === app && one.provider.name === provider);
      return lane?.provider.health().ready === false;
    },
  });
}

/** Makes the deliveries of an earlier process due, and loads which tokens are dead and which worked. */
export async function recoverCore(core: Core, store: Store, clock: Clock): Promise<void> {
  const { remembered } = core;
  try {
    await store.recover({ nowMs: clock.nowMs() });
  } catch (error) {
    // The service also starts on a full disk: deliveries that were under way are due when their leases end.
    if (!(error instanceof StoreUnavailableError) || error.reason !== 'full') throw error;
  }
  const [quarantined, proven] = await Promise.all([
    store.listQuarantine({ wallMs: clock.wallMs(), limit: remembered }),
    store.listProvenTokens(PROVEN_PER_REMEMBERED * remembered),
  ]);
  for (const entry of core.quarantine.load(quarantined, proven)) void core.ledger.quarantine(entry);
}
