// The proof of every credential at start: in the background, when the connections for pushes are open.

import type { Clock } from '../core/ports/clock.ts';
import type { ProofMemory } from '../core/ports/proofs.ts';
import type { Skew } from '../core/sending/attempts.ts';
import { type Finding, levelOf } from './findings.ts';
import { proveProvider } from './proof-findings.ts';
import type { AppProvider } from './providers.ts';

/** The findings about an app at a provider. */
export interface ProvenLane {
  readonly app: string;
  readonly provider: string;
  readonly address: string;
  /** One for each key. */
  readonly findings: readonly Finding[];
}

export interface StartProofsParts {
  readonly clock: Clock;
  readonly skew: Skew;
  readonly connected: Promise<unknown>;
  /** Called at most once, before Apple is asked; `undefined` if it cannot be opened. */
  readonly openMemory: () => Promise<ProofMemory | undefined>;
}

/** One for each provider; none rejects. */
export function startProofs(
  providers: readonly AppProvider[],
  { clock, skew, connected, openMemory }: StartProofsParts,
): readonly Promise<ProvenLane>[] {
  const asksApple = providers.some(({ provider }) => provider.name !== 'fcm');
  const memory = connected.then(() => (asksApple ? openMemory() : undefined));
  const proofs = providers.map(async (lane): Promise<ProvenLane> => {
    const { app, provider, address } = lane;
    const parts = { clock, memory: await memory };
    const findings = await proveProvider(lane, parts, () => ({ skewMs: -skew.correctionMs }));
    return { app, provider: provider.name, address, findings };
  });
  void Promise.allSettled(proofs).then(async () => (await memory)?.close());
  return proofs;
}

/** The results of the proofs so far. */
export class KnownProofs {
  readonly #lanes = new Map<string, ProvenLane>();

  follow(proofs: readonly Promise<ProvenLane>[]): void {
    for (const proof of proofs) {
      void proof.then((lane) => this.#lanes.set(`${lane.app}/${lane.provider}`, lane));
    }
  }

  of(
    app: string,
    provider: string,
  ): readonly { readonly isProven: boolean; readonly text: string }[] {
    const { findings = [] } = this.#lanes.get(`${app}/${provider}`) ?? {};
    return findings.map((finding) => {
      return { isProven: levelOf(finding) === 'ok', text: finding.text };
    });
  }
}
