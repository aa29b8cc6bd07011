// Starts a service with wrong variables, and returns the faults that it reported.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ConfigError } from '../../src/config/config.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { BOTH_PROVIDERS } from '../support/credentials.ts';
import { temporaryFolder } from '../support/service.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** The faults that a start reports for a service that is configured well except for these variables. */
export async function faultsOf(
  changed: Variables,
  base: Variables = BOTH_PROVIDERS,
): Promise<readonly string[]> {
  try {
    const { providers } = await prepare({ ...base, ...changed }, createSystemClock());
    await Promise.all(providers.map(({ provider }) => provider.close()));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

/** Each of these starts must fail with this one fault. */
export async function expectOneFault(
  cases: readonly (readonly [Variables, RegExp])[],
  base: Variables = BOTH_PROVIDERS,
): Promise<void> {
  for (const [changed, fault] of cases) {
    const faults = await faultsOf(changed, base);
    expect(faults, String(fault)).toEqual([expect.stringMatching(fault)]);
  }
}

export function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}
