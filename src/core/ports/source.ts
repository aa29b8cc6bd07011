// What a source is and what it makes of a webhook: the port between the callers' formats and the core.

import type { ErrorCode, ErrorStatus } from '../errors.ts';
import type { ParsedNotification } from '../notification.ts';

export type Parsed =
  | {
      readonly kind: 'notification';
      readonly notification: ParsedNotification;
      /** The recipient where the URL names no device: a wallet's public key. */
      readonly user?: string;
    }
  /** Understood, and no push is due: answered 200 `ignored`. */
  | { readonly kind: 'ignored' }
  /** The caller waits for the device's reply. */
  | {
      readonly kind: 'question';
      /** Of its notification. */
      readonly type: string;
      /** What makes a repeat the same question while one waits. */
      readonly key: string;
      notification(replyUrl: string): ParsedNotification;
    };

/** A call as it came, before anything in it is trusted. */
export interface SourceRequest {
  /** Names in lower case, as Node has them; a repeated header is one string joined by `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  /** Wall time of receipt, Unix milliseconds. */
  readonly receivedAtMs: number;
}

/** What a signature is checked against, from the configuration or the registry; several during a rotation. */
export interface SourceCredentials {
  /** HMAC secrets, or `whsec_`/`whpk_` keys, as the source defines them. */
  readonly secrets: readonly string[];
  /** Node ids (33-byte compressed public keys in hex) whose notifications the device allowed (bLIP-55). */
  readonly nodeIds: readonly string[];
}

/** One caller's format at the signed doors. A new one is a file in `sources/` and a line in `all-sources.ts`. */
export interface Source {
  /** As the path names it: `/api/v1/webhooks/<name>/:handle`. */
  readonly name: string;
  /** What is wrong with a secret that could never match; never quotes it. Absent: any text is a secret. */
  readonly secretFault?: (secret: string) => string | undefined;
  /**
   * Throws `bad_signature` or `stale_timestamp`. Does not read the body before the signature is checked, unless the
   * caller signs a field of it: then it may also throw `bad_body`.
   */
  authenticate(request: SourceRequest, credentials: SourceCredentials): void;
  /** Throws `bad_body`. */
  parse(request: SourceRequest, credentials: SourceCredentials): Parsed;
  /**
   * Where `authenticate` is costly (secp256k1, 0.2 ms): the checks that come before it and cost nothing.
   * Throws as `authenticate` does. A call that passes may wait for its turn, because the number of verifications per
   * second is limited.
   */
  precheck?(request: SourceRequest): void;
  /** The Lightning node that signed, whether it may or not; recovering it takes 0.2 ms. */
  signerOf?(request: SourceRequest): string | undefined;
  /**
   * Where this caller needs another status for the same refusal; all other codes have the status of the errors' table.
   */
  readonly statuses: Readonly<Partial<Record<ErrorCode, ErrorStatus>>>;
}
