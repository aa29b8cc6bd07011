// Examines a configuration from outside the service: reads, asks the providers without reaching a phone, changes
// nothing but the memory of when Apple was asked.

import { readAuthorities } from '../config/authorities.ts';
import { type Config, ConfigError, type Environment, readSettings } from '../config/config.ts';
import { isServer } from '../config/files.ts';
import { loadSecrets } from '../config/secret.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { ProofMemory } from '../core/ports/proofs.ts';
import { trustAlso } from '../providers/http2/connect.ts';
import type { Finding } from '../service/findings.ts';
import { type Prepared, prepare } from '../service/prepare.ts';
import { proveProvider } from '../service/proof-findings.ts';
import { openProofMemory } from '../stores/sqlite/proofs.ts';
import { checkDatabase, checkSecret, type DatabaseCheck } from './check-database.ts';
import { checkDisk } from './check-disk.ts';
import { checkEndpoints } from './check-endpoints.ts';
import { checkClock, checkExternalUrl } from './check-network.ts';
import { checkOpenFiles } from './check-open-files.ts';
import { checkPostgres } from './check-postgres.ts';
import type { GetOptions } from './http-get.ts';

const GOOGLE = 'https://fcm.googleapis.com';

/** Findings in reading order; settings first, since everything else depends on them. Never rejects. */
export async function examine(environment: Environment, clock: Clock): Promise<readonly Finding[]> {
  let prepared: Prepared;
  try {
    prepared = await prepare(environment, clock);
  } catch (error) {
    const { values } = readSettings(environment);
    return [...faultsOf(error), ...(await examineStore(values, clock)).findings];
  }
  const { config } = prepared;
  const settings: Finding = { check: 'settings', code: 'settings_ok', text: appsOf(prepared) };
  const stored = await examineStore(config, clock);
  const { outwards, google } = networkOf(config, clock);
  const clockCheck = guarded(
    'clock',
    async () => await checkClock(config.fcmEndpoint ?? GOOGLE, google),
  );
  const [external, compared, endpoints] = await Promise.all([
    guarded('external_url', async () => ({
      finding: await checkExternalUrl(config.externalUrl, outwards),
    })),
    clockCheck,
    checkEndpoints(prepared, clock),
  ]);
  const lanes = await proveAll(prepared, clock, { stored, skewMs: skewOf(compared) });
  const files = checkOpenFiles(config.maxConnections);
  return [
    settings,
    ...stored.findings,
    ...files,
    compared.finding,
    external.finding,
    ...lanes,
    ...endpoints,
  ];
}

interface Stored {
  readonly findings: readonly Finding[];
  readonly sample: DatabaseCheck['sample'];
}

const NO_SAMPLE: Stored['sample'] = { acceptedAt: () => undefined };

async function examineStore(config: Partial<Config>, clock: Clock): Promise<Stored> {
  const { database, secret, previousSecrets = [], retentionMs } = config;
  if (database === undefined || retentionMs === undefined) {
    return { findings: [], sample: NO_SAMPLE };
  }
  const ofSecret = checkSecret({ secret });
  if (isServer(database)) {
    if (secret === undefined) return { findings: [], sample: NO_SAMPLE };
    const keys = loadSecrets({ configured: secret, previous: previousSecrets });
    const found = await checkPostgres(database, { keys, clock });
    return { findings: [...found, ofSecret], sample: NO_SAMPLE };
  }
  const { finding, sample } = checkDatabase({ database, secret, previousSecrets }, clock);
  const { deliveriesPerDay } = sample;
  const disk = guardedNow('disk', () => checkDisk({ database, retentionMs, deliveriesPerDay }));
  return { findings: [finding, ofSecret, disk], sample };
}

/** Each fault separately, as the start of the service would list them. */
function faultsOf(error: unknown): readonly Finding[] {
  if (!(error instanceof ConfigError)) return [failed('settings', error)];
  return error.faults.map((text) => ({ check: 'settings', code: 'settings_wrong', text }));
}

function appsOf({ providers }: Prepared): string {
  return `usable; ${providers.map(({ app, provider }) => `${app}/${provider.name}`).join(', ')}`;
}

function networkOf(
  config: Config,
  clock: Clock,
): { readonly outwards: GetOptions; readonly google: GetOptions } {
  // The settings were read without faults, so this has none.
  const ca = readAuthorities(config.providerCaFile, []);
  const { httpsProxy: proxy, noProxy } = config;
  const outwards = { clock, proxy, noProxy };
  return { outwards, google: { ...outwards, authorities: trustAlso(ca) } };
}

async function proveAll(
  { providers, config }: Prepared,
  clock: Clock,
  known: { readonly stored: Stored; readonly skewMs: number | undefined },
): Promise<readonly Finding[]> {
  const asksApple = providers.some(({ provider }) => provider.name !== 'fcm');
  const memory = asksApple ? await openMemory(config.database, clock) : undefined;
  try {
    const findings = providers.map(async (lane) => {
      const { name } = lane.provider;
      const acceptedAt = known.stored.sample.acceptedAt(lane.app, name);
      const circumstances = { skewMs: known.skewMs, acceptedAt };
      try {
        return await proveProvider(lane, { clock, memory }, () => circumstances);
      } catch (error) {
        return [failed(`${lane.app}/${name}`, error)];
      }
    });
    return (await Promise.all(findings)).flat();
  } finally {
    await memory?.close();
    await Promise.all(providers.map(({ provider }) => provider.close()));
  }
}

async function openMemory(database: string, clock: Clock): Promise<ProofMemory | undefined> {
  try {
    if (!isServer(database)) return openProofMemory(database);
    // The driver is loaded only if there is such a database.
    const postgres = await import('../stores/postgres/proofs.ts');
    return postgres.openProofMemory(database, clock);
  } catch {
    // Apple is not asked, and its finding says so.
    return undefined;
  }
}

interface Result {
  readonly finding: Finding;
}

/** A check that fails because of an internal error is a finding, and the others continue. */
async function guarded<Found extends Result>(
  check: string,
  run: () => Promise<Found>,
): Promise<Found | Result> {
  try {
    return await run();
  } catch (error) {
    return { finding: failed(check, error) };
  }
}

function guardedNow(check: string, run: () => Finding): Finding {
  try {
    return run();
  } catch (error) {
    return failed(check, error);
  }
}

function failed(check: string, error: unknown): Finding {
  return {
    check,
    code: 'check_failed',
    text: error instanceof Error ? error.message : String(error),
  };
}

function skewOf(compared: Result | { readonly skewMs?: number | undefined }): number | undefined {
  return 'skewMs' in compared ? compared.skewMs : undefined;
}
