// Doubt about our own side. When suddenly many tokens that worked seem dead, when several trusted devices are
// refused for their environment, topic or sender, or when several proven tokens are called malformed, the configuration
// or the message is at fault, not the tokens. Strangers can make tokens: only registered devices count, and tokens that
// have worked for an hour. A verdict ends with the evidence for it.

import type { Clock } from '../ports/clock.ts';
import type { Registrar } from '../ports/devices.ts';
import type { ProviderName } from '../target.ts';
import { DeviceRefusals, type RefusalFigures } from './device-refusals.ts';
import { Recent } from './recent.ts';

const MINUTE_MS = 60_000;
/** How many of the last sends to trusted devices count: enough that a wave of reinstalled apps is only a part. */
const WINDOW_SENDS = 40;
/** More dead devices than this among them raise doubt: half of the window, each a different device. */
const DEAD_ABOVE = WINDOW_SENDS / 2;
/** A wrong environment or project shows within a minute at a vendor's rate. */
const DEATHS_WITHIN_MS = MINUTE_MS;
/** Older evidence says nothing about today's configuration. */
const EVIDENCE_MS = 10 * MINUTE_MS;
/** This many different tokens raise doubt: two may be one person's phones. */
const TOKENS_FOR_DOUBT = 3;
/** A token that has worked for this long was not made for an attack. */
const TRUSTED_AFTER_MS = 60 * MINUTE_MS;
const MAX_EVIDENCE = 100;

/** One answer about a token, as doubt needs to know it. */
export interface TokenEvidence {
  readonly app: string;
  readonly provider: ProviderName;
  readonly tokenHash: string;
  readonly deviceId?: string | undefined;
  /** Who registered that device; unknown for a delivery from before a restart. */
  readonly registrar?: Registrar | undefined;
  /** For how long the token has been known to work; `undefined` if it never did. */
  readonly provenForMs: number | undefined;
}

interface Send {
  readonly atMs: number;
  readonly device: string;
  readonly dead: boolean;
  readonly tokenHash: string;
}

interface LaneEvidence {
  sends: Send[];
  isDoubted: boolean;
  readonly refusals: DeviceRefusals;
  /** When each proven token was called malformed. */
  readonly malformed: Recent<number>;
}

/** How doubt about deaths changed; `pardoned` are the tokens that died while it grew. */
export type DoubtChange =
  | { readonly kind: 'began'; readonly pardoned: readonly string[] }
  | { readonly kind: 'ended' };

export class Doubt {
  readonly #clock: Clock;
  readonly #lanes = new Map<string, LaneEvidence>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A trusted device's push was accepted, or its token called dead. */
  weigh(evidence: TokenEvidence, dead: boolean): DoubtChange | undefined {
    const lane = this.#laneOf(evidence.app, evidence.provider);
    const nowMs = this.#clock.nowMs();
    if (!dead) lane.refusals.accepted(nowMs);
    if (!dead) lane.malformed.clear();
    if (!isTrusted(evidence) || evidence.provenForMs === undefined) return undefined;
    const { tokenHash } = evidence;
    const device = evidence.deviceId ?? tokenHash;
    lane.sends = [...lane.sends, { atMs: nowMs, device, dead, tokenHash }]
      .filter((send) => nowMs - send.atMs < DEATHS_WITHIN_MS)
      .slice(-WINDOW_SENDS);
    const deadSends = lane.sends.filter((send) => send.dead);
    const isDoubted = new Set(deadSends.map((send) => send.device)).size > DEAD_ABOVE;
    const wasDoubted = this.#isDeathDoubted(lane);
    lane.isDoubted = isDoubted;
    if (isDoubted === wasDoubted) return undefined;
    if (!isDoubted) return { kind: 'ended' };
    return { kind: 'began', pardoned: deadSends.map((send) => send.tokenHash) };
  }

  /** Whether dead tokens of this lane are blamed on the configuration now. */
  doubtsDeaths(app: string, provider: ProviderName): boolean {
    return this.#isDeathDoubted(this.#laneOf(app, provider));
  }

  /** A device was refused for a reason that may lie in our configuration as well as in the token. */
  noteRefused(evidence: TokenEvidence, reason: string): void {
    if (!isTrusted(evidence)) return;
    const lane = this.#laneOf(evidence.app, evidence.provider);
    const device = evidence.deviceId ?? evidence.tokenHash;
    lane.refusals.refused({ atMs: this.#clock.nowMs(), device, reason });
  }

  /** Refusals that several devices got, for readiness. */
  refusals(app: string, provider: ProviderName): RefusalFigures | undefined {
    return this.#laneOf(app, provider).refusals.figures(this.#clock.nowMs());
  }

  /**
   * A proven token was called malformed. True if there were so many that our message must be at fault (FCM gives the
   * same answer for a message that is too large).
   */
  noteMalformed(evidence: TokenEvidence): boolean {
    const lane = this.#laneOf(evidence.app, evidence.provider);
    lane.malformed.use(evidence.tokenHash, this.#clock.nowMs());
    return this.#isSupported(lane.malformed);
  }

  /** The doubt about an app, for readiness; undefined if there is none. */
  of(app: string, provider: ProviderName): string | undefined {
    const lane = this.#laneOf(app, provider);
    const settings =
      provider === 'apns'
        ? 'check APNS_ENVIRONMENT, APNS_TOPIC and the key'
        : 'check the Firebase project, its credentials and its APNs key';
    if (this.#isDeathDoubted(lane))
      return `most devices that worked before come back dead: ${settings}`;
    if (this.#isSupported(lane.malformed)) {
      return 'the provider refuses messages to tokens that worked before: see the attempts in the log';
    }
    return undefined;
  }

  #laneOf(app: string, provider: ProviderName): LaneEvidence {
    const key = `${app}\n${provider}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane: LaneEvidence = {
      sends: [],
      isDoubted: false,
      refusals: new DeviceRefusals(),
      malformed: new Recent(MAX_EVIDENCE),
    };
    this.#lanes.set(key, lane);
    return lane;
  }

  #isDeathDoubted({ isDoubted, sends }: LaneEvidence): boolean {
    const last = sends.at(-1);
    return isDoubted && last !== undefined && this.#clock.nowMs() - last.atMs < EVIDENCE_MS;
  }

  #isSupported(seen: Recent<number>): boolean {
    const sinceMs = this.#clock.nowMs() - EVIDENCE_MS;
    return seen.count((atMs) => atMs > sinceMs) >= TOKENS_FOR_DOUBT;
  }
}

/** Anyone who has the app, or makes a wallet key, can register devices without a phone. */
function isTrusted({ deviceId, registrar = 'backend', provenForMs }: TokenEvidence): boolean {
  if ((provenForMs ?? 0) >= TRUSTED_AFTER_MS) return true;
  return deviceId !== undefined && registrar === 'backend';
}
