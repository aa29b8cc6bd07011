// What can be concluded about the wake that a push should cause. The service cannot know why a phone is silent (push
// lost, app stopped by force, notifications off).

import { lifetimeEndMs, usefulUntilMs } from '../notification.ts';
import type { DeliveryWake } from '../ports/receipts.ts';
import { answeredOf } from './history.ts';
import { isDemoted, type Receipt, STAGES } from './receipt.ts';

/**
 * - `woke`: the phone started within the useful life. `late`: after it.
 * - `demoted`: it started, and Android had taken the priority away.
 * - `no_receipt`: none came from a phone that sends them. `unknown`: none came, and the phone never sent one.
 */
export type WakeKind = 'woke' | 'late' | 'demoted' | 'no_receipt' | 'unknown';

export interface WakeConclusion {
  readonly kind: WakeKind;
  /** How far the phone got. */
  readonly stage?: Receipt['stage'] | undefined;
  readonly why?: Receipt['why'];
}

export function concludeWake(wake: DeliveryWake): WakeConclusion {
  const { receipts } = wake;
  if (wokenAtMsOf(wake) === undefined) return { kind: wake.isSender ? 'no_receipt' : 'unknown' };
  const stage = furthestOf(receipts);
  // A second push may succeed where the first one failed.
  const failed = stage === 'done' ? [] : receipts;
  const why = failed.findLast((receipt) => receipt.why !== undefined)?.why;
  if (receipts.some(isDemoted)) return { kind: 'demoted', stage, why };
  return { kind: isLate(wake) ? 'late' : 'woke', stage, why };
}

function wokenAtMsOf({ receipts: [first], answeredAtMs }: DeliveryWake): number | undefined {
  return first?.atMs ?? answeredAtMs;
}

function isLate(wake: DeliveryWake): boolean {
  const wokenAtMs = wokenAtMsOf(wake);
  return wokenAtMs !== undefined && wokenAtMs > usefulEndMs(wake);
}

function usefulEndMs(wake: DeliveryWake): number {
  return usefulUntilMs(lifetimeEndMs(wake), wake.lifetimeMs);
}

/** `failed` says more than the stages before it, and less than `done`. */
function furthestOf(receipts: readonly Receipt[]): Receipt['stage'] | undefined {
  const order: readonly Receipt['stage'][] = ['done', 'failed', ...STAGES.toReversed()];
  return order.find((stage) => receipts.some((receipt) => receipt.stage === stage));
}

/**
 * Such as "Apple took it at +41 ms, the phone started at +1.9 s, connected at +3.2 s, done at +4.0 s", each counted
 * from the receipt of the call. While the push is useful at `nowMs`, a receipt may still come.
 */
export function describeWake(wake: DeliveryWake, nowMs = Number.POSITIVE_INFINITY): string {
  const { provider, acceptedAtMs } = wake;
  const phone = describePhone(wake, nowMs);
  // If the phone answered before the provider, its receipt also counts as the acceptance.
  const isProven = (wokenAtMsOf(wake) ?? Number.POSITIVE_INFINITY) <= (acceptedAtMs ?? 0);
  if (!wake.isAsked || acceptedAtMs === undefined || isProven) return phone;
  const name = provider === 'fcm' ? 'Google' : 'Apple';
  return `${name} took it at ${sinceCall(wake, acceptedAtMs)}, ${phone}`;
}

/** The same for the phone only. */
export function describePhone(wake: DeliveryWake, nowMs = Number.POSITIVE_INFINITY): string {
  if (!wake.isAsked)
    return 'the push asked for no receipt: it had no room for the address, or left an hour after the call';
  const since = (atMs: number) => sinceCall(wake, atMs);
  const { knockedAtMs, answeredAtMs, receipts } = wake;
  const parts = [
    ...(knockedAtMs === undefined ? [] : [`second push at ${since(knockedAtMs)}`]),
    ...receipts.map((receipt) => describeReceipt(receipt, since(receipt.atMs))),
  ];
  if (receipts.some(isDemoted)) parts.push('Android demoted it (high → normal)');
  if (answeredAtMs !== undefined) parts.push(`the phone replied at ${since(answeredAtMs)}`);
  else if (receipts.length === 0) parts.push(describeSilence(wake, nowMs));
  if (isLate(wake)) {
    const usefulSeconds = Math.round((usefulEndMs(wake) - wake.receivedAtMs) / 1_000);
    parts.push(`too late for a push that was useful for ${usefulSeconds} s`);
  }
  return parts.join(', ');
}

function sinceCall({ receivedAtMs }: DeliveryWake, atMs: number): string {
  return `+${secondsOf(Math.max(0, atMs - receivedAtMs))}`;
}

function describeReceipt({ stage, why, n }: Receipt, at: string): string {
  const words = stage === 'started' ? 'the phone started' : stage;
  const cause = why === undefined ? '' : ` (${why})`;
  return `${words}${cause} at ${at}${n === 2 ? ' after the second push' : ''}`;
}

function describeSilence(wake: DeliveryWake, nowMs: number): string {
  if (nowMs < lifetimeEndMs(wake)) return 'no receipt yet';
  if (!wake.isSender) return 'no receipt; this phone has never sent one before';
  const { answered, pushes } = answeredOf(wake);
  if (pushes === 0) return 'no receipt; this phone has sent one before';
  if (pushes > 1)
    return `no receipt; this phone sent one for ${answered} of its last ${pushes} pushes`;
  // With a receipt the only push that counts is another one than this.
  return answered === 1
    ? 'no receipt; this phone sent one for another push'
    : 'no receipt; this phone sent one before its last push';
}

function secondsOf(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
