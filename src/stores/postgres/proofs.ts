// The memory of proofs in `meta`, for all machines and `nds doctor`: one row for each set of credentials.

import { z } from 'zod';
import type { Clock } from '../../core/ports/clock.ts';
import type { EarlierProof, ProofMemory } from '../../core/ports/proofs.ts';
import { FORGOTTEN_AFTER_MS, outcomeSchema } from '../proofs.ts';
import { META } from '../rows.ts';
import { Database, type Run } from './database.ts';
import { change, select } from './statements.ts';

/** The prefix of the credentials' fingerprint. */
const NAME = 'proof:';
const PROOF = z.object({ askedAtMs: z.number(), outcome: outcomeSchema.optional() });

/** Connects at its first use, with connections of its own. */
export function openProofMemory(url: string, clock: Clock): ProofMemory {
  const database = new Database({ url, clock });
  return {
    claim: (credentials, { wallMs, gapMs }) =>
      database.transaction(async (run) => {
        const proofs = await takeProofs(run);
        const earlier = proofs.get(nameOf(credentials));
        const ageOf = ({ askedAtMs }: EarlierProof) => Math.abs(wallMs - askedAtMs);
        if (earlier !== undefined && ageOf(earlier) < gapMs) return earlier;
        const old = [...proofs].filter(([, proof]) => ageOf(proof) > FORGOTTEN_AFTER_MS);
        await change(run, 'DELETE FROM meta WHERE name = ANY(@names)', {
          names: old.map(([name]) => name),
        });
        await put(run, credentials, { askedAtMs: Math.floor(wallMs) });
        return undefined;
      }),
    record: (credentials, outcome) =>
      database.transaction(async (run) => {
        const claimed = (await takeProofs(run)).get(nameOf(credentials));
        if (claimed !== undefined) await put(run, credentials, { ...claimed, outcome });
      }),
    release: (credentials) =>
      database.transaction(async (run) => {
        await change(run, 'DELETE FROM meta WHERE name = @name', { name: nameOf(credentials) });
      }),
    close: () => database.close(),
  };
}

function nameOf(credentials: string): string {
  return `${NAME}${credentials}`;
}

/** By their names. Until the transaction ends, no other transaction can read or change them. */
async function takeProofs(run: Run): Promise<ReadonlyMap<string, EarlierProof>> {
  const prefix = NAME;
  await change(run, 'SELECT pg_advisory_xact_lock(hashtextextended(@prefix, 0))', { prefix });
  const rows = await select(run, META, 'WHERE starts_with(name, @prefix)', { prefix });
  return new Map(
    rows.map(({ name, value }) => [name, PROOF.parse(JSON.parse(Buffer.from(value).toString()))]),
  );
}

async function put(run: Run, credentials: string, proof: EarlierProof): Promise<void> {
  await change(
    run,
    `INSERT INTO meta (name, value) VALUES (@name, @value)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    { name: nameOf(credentials), value: Buffer.from(JSON.stringify(proof)) },
  );
}
