// The port for randomness: identifiers, jitter, and the keyed fingerprint under which secrets are remembered.

export interface Ids {
  /**
   * A new delivery id: UUID version 7 in lower case (RFC 9562), which APNs accepts as `apns-id` and
   * whose order in time keeps the database's index dense.
   */
  deliveryId(): string;
  /** A secret that grants something: 128 random bits as 22 base64url characters. */
  secret(): string;
  /** A uniform number from 0 (inclusive) to 1 (exclusive), for jitter. */
  fraction(): number;
  /**
   * A keyed one-way fingerprint (the first 128 bits of HMAC-SHA-256 as 32 lower-case hex digits) of a push token,
   * payment hash or other value that the log must find again but never show.
   */
  fingerprint(value: string): string;
  /**
   * A key for this purpose only: fingerprints are shown to operators, and callers choose some of the values behind
   * them.
   */
  deriveKey(purpose: string): Uint8Array;
}
