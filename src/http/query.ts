// The query of the token form: platform, token, app_data, app. Of repeated values the first counts, `+` is
// a blank and unknown parameters are ignored, as in breez/notify.

import { type Fault, ServiceError } from '../core/errors.ts';
import {
  createTarget,
  DEFAULT_APP,
  MAX_APP_NAME_CHARACTERS,
  type Target,
  tokenFault,
} from '../core/target.ts';

const NAMES = ['platform', 'token', 'app_data', 'app'] as const;

/** Throws `bad_query` with every fault; values are never repeated. */
export function parseTarget(rawUrl: string): Target {
  const mark = rawUrl.indexOf('?');
  const { values, faults } = readParameters(mark < 0 ? '' : rawUrl.slice(mark + 1));
  const { platform, token, app_data: appData } = values;
  const app = values.app || DEFAULT_APP;

  const isPlatform = platform === 'ios' || platform === 'android';
  if (!isPlatform) faults.push({ field: 'platform', message: 'must be ios or android' });
  const fault =
    token === undefined ? 'is required' : tokenFault(isPlatform ? platform : 'android', token);
  if (fault !== undefined && !faults.some(({ field }) => field === 'token')) {
    faults.push({ field: 'token', message: fault });
  }
  if (app.length > MAX_APP_NAME_CHARACTERS) {
    faults.push({
      field: 'app',
      message: `must have at most ${MAX_APP_NAME_CHARACTERS} characters`,
    });
  }
  if (faults.length > 0 || !isPlatform || token === undefined) {
    throw new ServiceError('bad_query', { faults });
  }
  return createTarget({ app, platform, token, appData });
}

type Name = (typeof NAMES)[number];

/** The first value of each parameter, and those that cannot be decoded: nothing is guessed or repaired. */
function readParameters(query: string): {
  readonly values: Readonly<Partial<Record<Name, string>>>;
  readonly faults: Fault[];
} {
  const values: Partial<Record<Name, string>> = {};
  const faults: Fault[] = [];
  const seen = new Set<Name>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const field = decode(equals < 0 ? pair : pair.slice(0, equals));
    const name = NAMES.find((known) => known === field);
    if (name === undefined || seen.has(name)) continue;
    seen.add(name);
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    if (value !== undefined) values[name] = value;
    else if (name !== 'platform') {
      faults.push({ field: name, message: 'must be percent-encoded UTF-8' });
    }
  }
  return { values, faults };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
