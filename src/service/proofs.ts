// Proves one set of credentials at its provider: nothing reaches a phone, and Apple is asked at most once in ten
// minutes about the same credentials, by all machines and `nds doctor` together, even after restarts.

import type { Outcome } from '../core/outcome.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { EarlierProof, ProofMemory } from '../core/ports/proofs.ts';
import type { ProvableKey } from './providers.ts';

/** Apple slows down and cuts off senders of many bad tokens; a process that restarts in a loop must not become one. */
const APPLE_ASKED_EVERY_MS = 10 * 60_000;
/** If machines start together, one asks, and the others read its answer. */
const LOOK_EVERY_MS = 1_000;
const MAX_LOOKS = 6;

export interface KeyProof {
  /**
   * - `proven`: the provider accepts the credentials.
   * - `refused`: it says that they are wrong.
   * - `unreachable`: no answer, or a failure of its own.
   * - `unclear`: an answer that says neither.
   * - `not_asked`: it was not asked, and no earlier answer is known.
   */
  readonly verdict: 'proven' | 'refused' | 'unreachable' | 'unclear' | 'not_asked';
  /** The provider's reason, or ours. */
  readonly reason: string;
  /** How long ago it was asked, if not now. */
  readonly ageMs?: number | undefined;
}

export interface ProofParts {
  readonly clock: Clock;
  /** Absent if it cannot be opened: Apple is not asked then. */
  readonly memory: ProofMemory | undefined;
}

/** Never rejects. */
export async function proveKey(key: ProvableKey, parts: ProofParts): Promise<KeyProof> {
  const { prover, configured, credentials } = key;
  if (configured.provider === 'fcm') return readProof(await prover.prove());
  const claim = await claimFrom(parts, credentials);
  if (claim === 'failed') return { verdict: 'not_asked', reason: 'not_remembered' };
  if (claim !== 'taken') return recall(key, claim, parts.clock);
  const outcome = await prover.prove();
  await remember(parts, credentials, outcome);
  return readProof(outcome);
}

/** Waits for the answer that another machine is about to get. */
async function claimFrom(
  { memory, clock }: ProofParts,
  credentials: string,
): Promise<EarlierProof | 'taken' | 'failed'> {
  if (memory === undefined) return 'failed';
  try {
    for (let looks = 1; ; looks += 1) {
      const options = { wallMs: clock.wallMs(), gapMs: APPLE_ASKED_EVERY_MS };
      const claim = (await memory.claim(credentials, options)) ?? 'taken';
      if (claim === 'taken' || claim.outcome !== undefined || looks === MAX_LOOKS) return claim;
      const isUnderWay = options.wallMs - claim.askedAtMs < MAX_LOOKS * LOOK_EVERY_MS;
      if (!isUnderWay) return claim;
      await new Promise<void>((resolve) => clock.after(LOOK_EVERY_MS, resolve));
    }
  } catch {
    // A full disk, a file of another user, a PostgreSQL without tables: the verdict says that Apple was not asked.
    return 'failed';
  }
}

async function remember(
  { memory }: ProofParts,
  credentials: string,
  outcome: Outcome,
): Promise<void> {
  try {
    if (wasAsked(outcome)) await memory?.record(credentials, outcome);
    else await memory?.release(credentials);
  } catch {
    // The claim stays without an answer, and Apple is not asked for ten minutes.
  }
}

function recall(
  { prover }: ProvableKey,
  { askedAtMs, outcome }: EarlierProof,
  clock: Clock,
): KeyProof {
  const ageMs = Math.max(0, clock.wallMs() - askedAtMs);
  if (outcome === undefined) return { verdict: 'not_asked', reason: 'asked_lately', ageMs };
  prover.recall(outcome);
  return { ...readProof(outcome), ageMs };
}

/** Whether the request may have reached the provider. */
function wasAsked(outcome: Outcome): boolean {
  if (outcome.kind === 'misconfigured') return !isOfTheWay(outcome.reason);
  if (outcome.kind !== 'retry') return true;
  return outcome.certainty !== 'not_processed' && outcome.certainty !== 'not_started';
}

function readProof(outcome: Outcome): KeyProof {
  switch (outcome.kind) {
    case 'delivered':
      return { verdict: 'proven', reason: 'accepted' };
    case 'unregistered':
      return { verdict: 'proven', reason: outcome.reason };
    case 'rejected':
      return {
        verdict: outcome.blame === 'token' ? 'proven' : 'unclear',
        reason: outcome.reason,
      };
    case 'misconfigured':
      return {
        verdict: isOfTheWay(outcome.reason) ? 'unreachable' : 'refused',
        reason: outcome.reason,
      };
    case 'retry':
      return {
        verdict: isAnswerAboutUs(outcome) ? 'unclear' : 'unreachable',
        reason: outcome.reason,
      };
  }
}

/** The certificate is not trusted: something is between us and the provider, and our credentials were not checked. */
function isOfTheWay(reason: string): boolean {
  return reason === 'tls_untrusted' || reason === 'oauth_tls_untrusted';
}

/** "Too much" and "too often" are not failures of the provider. */
function isAnswerAboutUs({ reason, certainty }: Extract<Outcome, { kind: 'retry' }>): boolean {
  return certainty.startsWith('throttled') || reason === 'TooManyProviderTokenUpdates';
}
