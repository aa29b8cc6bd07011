// A wallet proves itself without a backend: it signs its registration with its node key, as it does towards
// breez-lnurl, and the key that signed becomes the device's user.

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { Ids } from '../../core/ports/ids.ts';
import { reading } from '../handle.ts';

export const TIME_HEADER = 'x-nds-time';
export const SIGNATURE_HEADER = 'x-nds-signature';

const TOLERANCE_SECONDS = 600;
/** How long a signature with a future time stays fresh; the extra second covers the bounds themselves. */
const USED_MS = (2 * TOLERANCE_SECONDS + 1) * 1_000;
const UNIX_SECONDS = /^[1-9][0-9]{0,10}$/;

export interface SelfRegistration {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  /** The origin of the external URL, as the wallet knows it: a signature for one service is invalid at another. */
  readonly origin: string;
  /** Whether a text has the form of such a signature, which is cheap to check. */
  readonly isSignature: (text: string) => boolean;
  /** The public key in hex that made a Lightning message signature (zbase32), if it is well formed. */
  readonly recoverSigner: (message: Uint8Array, signature: string) => string | undefined;
}

export interface SignedRegistration {
  readonly body: Uint8Array;
  /** The key that the body names as its user, if it does. */
  readonly user: string | undefined;
  /** Called before the key is recovered, which takes milliseconds; may throw. Malformed calls do not get this far. */
  readonly beforeRecovery: () => void;
}

/** What the wallet signs. */
export function registrationMessage(origin: string, unixSeconds: string, body: Uint8Array): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return `nds-register-v1 ${origin} ${unixSeconds} ${digest}`;
}

/**
 * The wallet's public key. Throws `stale_timestamp` beyond ten minutes either way, `bad_signature`, and
 * `bad_signature` again for a second use. Any signature over any body recovers to some key: that key is the
 * user, so a forger can only register himself. If the body names a key as `user` and another one is recovered,
 * the call is refused, because the signed text differs from the call.
 */
export async function verifySelfRegistration(
  self: SelfRegistration,
  incoming: IncomingMessage,
  { body, user, beforeRecovery }: SignedRegistration,
): Promise<string> {
  const time = incoming.headers[TIME_HEADER];
  const signature = incoming.headers[SIGNATURE_HEADER];
  if (typeof time !== 'string' || !UNIX_SECONDS.test(time)) {
    throw new ServiceError('stale_timestamp', {
      detail: `The header ${TIME_HEADER} must hold the Unix time in seconds.`,
    });
  }
  const nowSeconds = self.clock.wallMs() / 1_000;
  if (Math.abs(nowSeconds - Number(time)) > TOLERANCE_SECONDS) {
    throw new ServiceError('stale_timestamp', {
      detail: `The header ${TIME_HEADER} must be within ${TOLERANCE_SECONDS} seconds of now.`,
    });
  }
  const message = registrationMessage(self.origin, time, body);
  if (typeof signature !== 'string' || !self.isSignature(signature)) {
    throw new ServiceError('bad_signature');
  }
  beforeRecovery();
  const signer = self.recoverSigner(Buffer.from(message), signature);
  if (signer === undefined) throw new ServiceError('bad_signature');
  if (user !== undefined && user.toLowerCase() !== signer) {
    throw new ServiceError('bad_signature', { detail: NOT_OF_USER });
  }
  await useOnce(self, `${signer}\n${message}`);
  return signer;
}

const NOT_OF_USER =
  'The signature is not of `user` over this origin, time and body: check what the wallet signs.';

/** By signer and message, not by the signature's text: every signature has a second valid text. */
async function useOnce(self: SelfRegistration, used: string): Promise<void> {
  const nowMs = self.clock.nowMs();
  const isFirst = await reading(() =>
    self.devices.useOnce({
      keyHash: self.ids.fingerprint(`registration\n${used}`),
      expiresAtMs: nowMs + USED_MS,
      nowMs,
    }),
  );
  if (!isFirst) {
    throw new ServiceError('bad_signature', { detail: 'This signature was used before.' });
  }
}
