// The port to the memory of proofs: when each set of credentials was last shown to a provider that must not be asked
// often, and what it answered. `nds doctor` and all machines share it, and it survives restarts.

import type { Outcome } from '../outcome.ts';

export interface EarlierProof {
  /** Wall time, Unix milliseconds. */
  readonly askedAtMs: number;
  /** Absent while the answer is not known: it is under way, or its process ended. */
  readonly outcome?: Outcome | undefined;
}

/** Every call rejects if the memory cannot be read or written: then nothing may be asked. */
export interface ProofMemory {
  /**
   * Takes the right to ask about these credentials now. If somebody asked less than `gapMs` ago, in this process or
   * another, that proof is returned and nothing may be asked.
   */
  claim(
    credentials: string,
    options: { readonly wallMs: number; readonly gapMs: number },
  ): Promise<EarlierProof | undefined>;
  /** What the provider answered to the claim. */
  record(credentials: string, outcome: Outcome): Promise<void>;
  /** The provider was not reached: the claim is withdrawn. */
  release(credentials: string): Promise<void>;
  close(): Promise<void>;
}
