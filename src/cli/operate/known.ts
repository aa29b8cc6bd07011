// Questions that several commands ask first: the names of the apps, and whether something is known at all.

import { z } from 'zod';
import { loadApps } from '../../config/apps.ts';
import { type Environment, readSettings } from '../../config/config.ts';
import { DEFAULT_APP } from '../../core/target.ts';
import { type Api, ApiRefusedError } from './api.ts';

const apps = z.looseObject({ apps: z.array(z.looseObject({ name: z.string() })) });

/** The named app; without a name, all apps of the service, or all configured apps if no service runs. */
export async function appsFor(
  api: Api,
  { app, environment }: { readonly app?: string | undefined; readonly environment: Environment },
): Promise<readonly string[]> {
  if (app !== undefined) return [app];
  const served = apps.parse(await api.call('GET', '/api/v1/apps')).apps.map(({ name }) => name);
  if (served.length > 0) return served;
  // Faults of keys do not matter here.
  const { names = [] } = loadApps(readSettings(environment), []);
  return names.length > 0 ? names : [DEFAULT_APP];
}

/** Undefined if the service answers that it does not know the resource. */
export async function unlessUnknown<Result>(
  asked: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await asked();
  } catch (error) {
    if (error instanceof ApiRefusedError && error.code.startsWith('unknown_')) return undefined;
    throw error;
  }
}
