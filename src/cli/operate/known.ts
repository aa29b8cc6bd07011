// What several commands ask the service first: the names of its apps, and what is missing.

import { z } from 'zod';
import { DEFAULT_APP } from '../../core/target.ts';
import { type Api, ApiRefusedError } from './api.ts';

const apps = z.looseObject({ apps: z.array(z.looseObject({ name: z.string() })) });

/** The app that was named, or else all of them. */
export async function appsFor(api: Api, named: string | undefined): Promise<readonly string[]> {
  if (named !== undefined) return [named];
  const parsed = apps.safeParse(await api.call('GET', '/api/v1/apps'));
  const names = parsed.success ? parsed.data.apps.map(({ name }) => name) : [];
  return names.length > 0 ? names : [DEFAULT_APP];
}

/** Nothing where the service knows nothing of that name. */
export async function unlessUnknown<Result>(
  asked: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await asked();
  } catch (error) {
    if (error instanceof ApiRefusedError && error.status === 404) return undefined;
    throw error;
  }
}
