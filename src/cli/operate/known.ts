// What several commands ask first: the names of the apps, and whether something is known at all.

import { z } from 'zod';
import { loadApps } from '../../config/apps.ts';
import { type Environment, readSettings } from '../../config/config.ts';
import { DEFAULT_APP } from '../../core/target.ts';
import { type Api, ApiRefusedError } from './api.ts';

const apps = z.looseObject({ apps: z.array(z.looseObject({ name: z.string() })) });

/** The app that was named, or else all of the service, or all that are configured if none runs. */
export async function appsFor(
  api: Api,
  { app, environment }: { readonly app?: string | undefined; readonly environment: Environment },
): Promise<readonly string[]> {
  if (app !== undefined) return [app];
  const served = apps.parse(await api.call('GET', '/api/v1/apps')).apps.map(({ name }) => name);
  if (served.length > 0) return served;
  // What is wrong with a key does not matter here.
  const { names = [] } = loadApps(readSettings(environment), []);
  return names.length > 0 ? names : [DEFAULT_APP];
}

/** Nothing where the service knows nothing of that name. */
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
