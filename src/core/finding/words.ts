// Times, durations and names as people read them, and what kind of trouble a provider's reason is.

import type { ProviderName } from '../target.ts';

const PROVIDERS: Readonly<Record<ProviderName, string>> = {
  apns: 'APNs',
  apns_sandbox: 'APNs’ sandbox',
  fcm: 'FCM',
};

export function nameOfProvider(provider: ProviderName): string {
  return PROVIDERS[provider];
}

/** `18:12:22`, UTC. */
export function timeOfDay(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 19);
}

/** `2026-11-26`, UTC. */
export function dayOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 10);
}

/** With the date if it differs from that of `beside`. */
export function momentOf(wallMs: number, beside?: number): string {
  const isSameDay = beside !== undefined && dayOf(wallMs) === dayOf(beside);
  return isSameDay ? timeOfDay(wallMs) : `${dayOf(wallMs)} ${timeOfDay(wallMs)}`;
}

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** In the largest unit of which there are two or more: `41 ms`, `14 s`, `90 min`. */
export function durationOf(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= 2 * candidate.ms);
  if (unit !== undefined) return `${Math.round(ms / unit.ms)} ${unit.name}`;
  return ms < 1_000 ? `${Math.max(0, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

export function timesOf(count: number): string {
  if (count === 1) return 'once';
  return count === 2 ? 'twice' : `${count} times`;
}

/** What the reason of an attempt or an outage says about the provider. */
export type ProviderTrouble = 'unreachable' | 'failing' | 'throttled' | 'silent' | 'refusing';

/** In the order in which they are tried; a reason that none of them matches is a refusal of our credentials. */
const TROUBLES: readonly (readonly [RegExp, ProviderTrouble])[] = [
  [/^tls_untrusted$|^oauth_tls_untrusted$/, 'refusing'],
  [/^(?:dns|connect|connection|proxy|tls)_|^(?:not_http2|goaway|refused_stream)$/, 'unreachable'],
  [/^oauth_(?:unavailable|timeout)$/, 'unreachable'],
  [/^(?:TooManyRequests|QUOTA_EXCEEDED|status_429|throttled)$/, 'throttled'],
  [
    /^(?:InternalServerError|ServiceUnavailable|Shutdown|IdleTimeout|UNAVAILABLE|INTERNAL)$/,
    'failing',
  ],
  [/^(?:status_\d{3}|provider_unavailable)$/, 'failing'],
  [
    /^(?:timeout|timeout_waiting|too_many_waiting|stream_reset|answer_unreadable|closed)$/,
    'silent',
  ],
];

export function providerTroubleOf(reason: string | undefined): ProviderTrouble {
  if (reason === undefined) return 'silent';
  return TROUBLES.find(([pattern]) => pattern.test(reason))?.[1] ?? 'refusing';
}

const STATES: Readonly<Record<ProviderTrouble, string>> = {
  unreachable: 'unreachable',
  failing: 'failing',
  throttled: 'throttling',
  silent: 'silent',
  refusing: 'refusing our credentials',
};

/** The state of a provider that took no pushes. */
export function stateOf(reason: string | undefined): string {
  return STATES[providerTroubleOf(reason)];
}
