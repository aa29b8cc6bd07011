// A proof in words: what it shows about which values, for the log at start and for `nds doctor`.

import { apnsRemedyFor } from '../providers/apns/response.ts';
import { fcmRemedyFor } from '../providers/fcm/response.ts';
import { type Configured, valuesOf } from './configured.ts';
import type { Finding, FindingCode } from './findings.ts';
import { type KeyProof, type ProofParts, proveKey } from './proofs.ts';
import type { AppProvider } from './providers.ts';

/** Beyond it a clock explains a refused signature: Google allows 5 minutes, Apple's bound is not documented. */
const CLOCK_EXPLAINS_FROM_MS = 30_000;
/** Reasons that a wrong clock can cause as well as a wrong key. */
const MAYBE_CLOCK = new Set(['InvalidProviderToken', 'oauth_invalid_grant']);
/** Only a wrong clock can make a token expired that was signed a moment ago. */
const SURELY_CLOCK = 'ExpiredProviderToken';
const NAMES = { apns: 'Apple', fcm: 'Google' } as const;

export interface Circumstances {
  /** This machine's clock minus the true time; absent if unknown. */
  readonly skewMs?: number | undefined;
  /** When the provider last accepted a push of this app, ISO 8601. */
  readonly acceptedAt?: string | undefined;
}

/** Proves every key of an app at a provider; one finding for each. Never rejects. */
export async function proveProvider(
  { app, provider, keys = [] }: AppProvider,
  parts: ProofParts,
  circumstances: () => Circumstances,
): Promise<readonly Finding[]> {
  const proofs = await Promise.all(keys.map((key) => proveKey(key, parts)));
  const hasProven = proofs.some(({ verdict }) => verdict === 'proven');
  return keys.flatMap(({ configured }, index) => {
    const proof = proofs[index];
    if (proof === undefined) return [];
    const check = `${app}/${provider.name}${index === 0 ? '' : ' (second key)'}`;
    const finding = findingOf({ check, configured }, proof, circumstances());
    // During a rotation pushes use the other key.
    const isSpare = hasProven && finding.code === 'apns_refused';
    return [isSpare ? { ...finding, code: 'apns_key_refused' } : finding];
  });
}

export function findingOf(
  { check, configured }: { readonly check: string; readonly configured: Configured },
  proof: KeyProof,
  circumstances: Circumstances = {},
): Finding {
  const { provider } = configured;
  const age = proof.ageMs === undefined ? '' : ` (asked ${minutes(proof.ageMs)} ago)`;
  switch (proof.verdict) {
    case 'proven':
      return {
        check,
        code: `${provider}_proven`,
        text: `${wordsOfProof(configured, circumstances)}${age}`,
      };
    case 'refused': {
      if (proof.reason === 'oauth_no_credentials') {
        return {
          check,
          code: 'fcm_no_credentials',
          text: `no credential was found for ${valuesOf(configured)}`,
        };
      }
      const isClock = blamesClock(proof.reason, circumstances);
      return {
        check,
        code: isClock ? `${provider}_clock` : `${provider}_refused`,
        text: `${whatIsRefused(configured, proof.reason)}: ${proof.reason}${age}`,
        remedy: isClock ? undefined : remedyFor(configured, proof.reason),
      };
    }
    case 'unreachable':
      return {
        check,
        code: `${provider}_unreachable`,
        text: `${configured.endpoint}: ${proof.reason}${age}`,
      };
    case 'unclear':
      return {
        check,
        code: `${provider}_unclear`,
        text: `${NAMES[provider]} answers ${proof.reason} to ${valuesOf(configured)}${age}`,
        remedy: remedyFor(configured, proof.reason),
      };
    case 'not_asked':
      return { check, code: notAsked(configured), text: whyNotAsked(proof) };
  }
}

function wordsOfProof(configured: Configured, { acceptedAt }: Circumstances): string {
  if (configured.provider === 'fcm') return `Google accepts ${valuesOf(configured)}`;
  const { keyId, teamId, topic, environment } = configured;
  const rest = `topic ${topic} and environment ${environment}`;
  return acceptedAt === undefined
    ? `Apple accepts key ${keyId} of team ${teamId}; ${rest} are not contradicted`
    : `Apple accepts key ${keyId} of team ${teamId}; it took a push at ${acceptedAt} (${rest})`;
}

function whatIsRefused(configured: Configured, reason: string): string {
  if (configured.provider === 'fcm') {
    return reason.startsWith('oauth_') || reason === 'credential_unusable'
      ? `Google’s token endpoint refuses the credential: ${valuesOf(configured)}`
      : `Google refuses ${valuesOf(configured)}`;
  }
  const { keyId, teamId, topic, environment } = configured;
  switch (reason) {
    case 'BadTopic':
    case 'MissingTopic':
    case 'TopicDisallowed':
      return `Apple refuses topic ${topic} for key ${keyId} of team ${teamId}`;
    case 'BadCertificateEnvironment':
    case 'BadEnvironmentKeyIdInToken':
    case 'BadEnvironmentKeyInToken':
      return `Apple refuses key ${keyId} in environment ${environment}`;
    default:
      return `Apple refuses key ${keyId} of team ${teamId} (${environment})`;
  }
}

function blamesClock(reason: string, { skewMs = 0 }: Circumstances): boolean {
  if (reason === SURELY_CLOCK) return true;
  return MAYBE_CLOCK.has(reason) && Math.abs(skewMs) >= CLOCK_EXPLAINS_FROM_MS;
}

function remedyFor({ provider }: Configured, reason: string): string | undefined {
  return provider === 'apns' ? apnsRemedyFor(reason) : fcmRemedyFor(reason);
}

/** FCM is always asked. */
function notAsked({ provider }: Configured): FindingCode {
  return provider === 'apns' ? 'apns_not_asked' : 'fcm_unclear';
}

function whyNotAsked({ reason, ageMs = 0 }: KeyProof): string {
  return reason === 'asked_lately'
    ? `Apple was asked ${minutes(ageMs)} ago, and its answer is not known yet`
    : 'nothing can be written to remember when Apple was asked: no file beside NDS_DATABASE, no row in its PostgreSQL';
}

function minutes(ms: number): string {
  const whole = Math.round(ms / 60_000);
  return whole < 1 ? 'less than a minute' : `${whole} min`;
}
