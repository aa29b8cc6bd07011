// What an outcome says beyond its own delivery: about the token (quarantine, hold, proof) and about our
// configuration (doubt). Returns the outcome that applies to the delivery.

import type { Delivery } from '../delivery.ts';
import { tokenSha256 } from '../events/body.ts';
import type { Outcome } from '../outcome.ts';
import type { Clock } from '../ports/clock.ts';
import type { Observer } from '../ports/observer.ts';
import type { Doubt, DoubtChange, TokenEvidence } from '../tokens/doubt.ts';
import type { Quarantine } from '../tokens/quarantine.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';

/** FCM's 400 whose only detail is an FcmError: a malformed token as a rule, a message too large at times. */
export const MALFORMED_TOKEN = 'malformed_token';

/** APNs: a token of the other environment, or no token at all. */
const BAD_DEVICE_TOKEN = 'BadDeviceToken';

export interface AssessmentParts {
  readonly clock: Clock;
  readonly quarantine: Quarantine;
  readonly doubt: Doubt;
  readonly ledger: Ledger;
  readonly observer: Observer;
}

export function assess(
  parts: AssessmentParts,
  { delivery, lane, outcome }: { delivery: Delivery; lane: Lane; outcome: Outcome },
): Outcome {
  const evidence = evidenceOf(parts.quarantine, delivery);
  switch (outcome.kind) {
    case 'delivered':
      tellDoubt(parts, evidence, parts.doubt.weigh(evidence, false));
      if (parts.quarantine.prove(delivery.tokenHash)) {
        void parts.ledger.pardon([delivery.tokenHash]);
      }
      return outcome;
    case 'unregistered':
      return assessDeath(parts, evidence, { delivery, outcome });
    case 'rejected':
      if (outcome.blame === 'sender') return assessMisdirected(parts, evidence, { lane, outcome });
      if (outcome.blame !== 'token') return outcome;
      if (outcome.reason === MALFORMED_TOKEN && evidence.provenForMs !== undefined) {
        const isOurs = parts.doubt.noteMalformed(evidence);
        return isOurs ? { ...outcome, blame: 'message' } : outcome;
      }
      if (outcome.reason === BAD_DEVICE_TOKEN) parts.doubt.noteRefused(evidence, outcome.reason);
      return assessDeath(parts, evidence, { delivery, outcome });
    default:
      return outcome;
  }
}

function evidenceOf(quarantine: Quarantine, delivery: Delivery): TokenEvidence {
  return {
    app: delivery.target.app,
    provider: delivery.provider,
    tokenHash: delivery.tokenHash,
    deviceId: delivery.deviceId,
    registrar: delivery.registrar,
    provenForMs: quarantine.provenForMs(delivery.tokenHash),
  };
}

type Death = Extract<Outcome, { kind: 'unregistered' | 'rejected' }>;

function assessDeath(
  parts: AssessmentParts,
  evidence: TokenEvidence,
  { delivery, outcome }: { readonly delivery: Delivery; readonly outcome: Death },
): Outcome {
  const { app, provider, tokenHash } = evidence;
  tellDoubt(parts, evidence, parts.doubt.weigh(evidence, true));
  if (parts.doubt.doubtsDeaths(app, provider)) {
    const worked = evidence.provenForMs !== undefined;
    return worked ? { kind: 'misconfigured', reason: outcome.reason } : outcome;
  }
  if (isOlderThanRegistration(delivery, outcome)) return outcome;
  const entry = parts.quarantine.condemn({ app, provider, tokenHash }, outcome);
  const { reason } = entry;
  parts.observer.observe({ name: 'token_quarantined', app, provider, tokenHash, reason });
  const { id, deviceId, target } = delivery;
  const about = {
    atMs: parts.clock.wallMs(),
    deviceId,
    deliveryId: id,
    tokenSha256: tokenSha256(target.token),
  };
  void parts.ledger.quarantine(entry, about);
  return outcome;
}

/**
 * Apple: stop pushing "until the device registers a token with a later timestamp". A device that registered
 * after Apple saw its token die is not condemned.
 */
function isOlderThanRegistration(delivery: Delivery, outcome: Death): boolean {
  const diedAtMs = outcome.kind === 'unregistered' ? outcome.sinceMs : undefined;
  const { registeredAtMs } = delivery;
  return diedAtMs !== undefined && registeredAtMs !== undefined && diedAtMs < registeredAtMs;
}

/** One caller's mistake, unless nothing else of this app arrives. */
function assessMisdirected(
  { doubt }: AssessmentParts,
  evidence: TokenEvidence,
  { lane, outcome }: { readonly lane: Lane; readonly outcome: Death },
): Outcome {
  doubt.noteRefused(evidence, outcome.reason);
  return lane.deliveredLately ? outcome : { kind: 'misconfigured', reason: outcome.reason };
}

function tellDoubt(
  parts: AssessmentParts,
  evidence: TokenEvidence,
  change: DoubtChange | undefined,
) {
  if (change === undefined) return;
  const { app, provider } = evidence;
  const name = change.kind === 'began' ? 'condemning_stopped' : 'condemning_resumed';
  parts.observer.observe({ name, app, provider, detail: parts.doubt.of(app, provider) ?? '' });
  if (change.kind === 'ended') return;
  const pardoned = change.pardoned.filter((tokenHash) => parts.quarantine.release(tokenHash));
  // These had worked, and only lost that status because they were condemned.
  for (const tokenHash of pardoned) parts.quarantine.prove(tokenHash);
  void parts.ledger.pardon(pardoned);
}
