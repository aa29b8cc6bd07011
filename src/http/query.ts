// The query of the token form: platform, token, app_data, app. Of repeated values the first counts, `+` is
// a blank and unknown parameters are ignored, as in breez/notify.

import { type Fault, ServiceError } from '../core/errors.ts';
import { MAX_APP_NAME_CHARACTERS, type Target, tokenFault } from '../core/target.ts';

const DEFAULT_APP = 'default';

/** Throws `bad_query` with every fault; values are never repeated. */
export function parseTarget(rawUrl: string): Target {
  const mark = rawUrl.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : rawUrl.slice(mark + 1));
  const platform = query.get('platform');
  const token = query.get('token');
  const appData = query.get('app_data');
  const app = query.get('app') || DEFAULT_APP;

  const faults: Fault[] = [];
  const isPlatform = platform === 'ios' || platform === 'android';
  if (!isPlatform) faults.push({ field: 'platform', message: 'must be ios or android' });
  const fault =
    token === null ? 'is required' : tokenFault(isPlatform ? platform : 'android', token);
  if (fault !== undefined) faults.push({ field: 'token', message: fault });
  if (app.length > MAX_APP_NAME_CHARACTERS) {
    faults.push({
      field: 'app',
      message: `must have at most ${MAX_APP_NAME_CHARACTERS} characters`,
    });
  }
  if (appData?.includes('\ufffd')) {
    faults.push({ field: 'app_data', message: 'must be percent-encoded UTF-8' });
  }
  if (faults.length > 0 || !isPlatform || token === null) {
    throw new ServiceError('bad_query', { faults });
  }
  return { app, platform, token, ...(appData === null ? {} : { appData }) };
}
