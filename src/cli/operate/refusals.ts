// What a command says when the service refuses its call. The API names routes, fields and headers; an operator at a
// terminal needs the command or the option.

import { z } from 'zod';
import { ERRORS } from '../../core/errors.ts';

const problem = z.looseObject({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  reason: z.string().optional(),
  instance: z.string().optional(),
  errors: z.array(z.looseObject({ field: z.string(), message: z.string() })).optional(),
});

/** Where the remedy of the API is not what an operator at a terminal does next. */
const REMEDIES: Readonly<Record<string, string>> = {
  unknown_device:
    'No device has this id: `nds devices list` lists them, with --user those of a user.',
  unknown_handle:
    'No device has this handle or door: `nds devices show ID --urls` shows the URLs of a device.',
  unknown_delivery:
    'No delivery has this id, or it left the log after NDS_RETENTION: `nds find` lists the newest.',
  unknown_token: 'This token is not known: compare it with what the app reports.',
  unknown_user: 'No device has this user: `nds devices list` lists the devices.',
  unknown_endpoint: 'No endpoint has this id: `nds endpoints list` lists all endpoints.',
  unknown_event:
    'No event has this id, or it is older than 24 hours: `nds endpoints attempts ID` lists the last calls.',
  unknown_app: 'No app has this name: `nds apps list` lists the names that --app takes.',
  email_endpoint:
    'E-mail endpoints have no secret, and a digest cannot be sent again. To send one event again, use `nds endpoints redeliver ID EVENT`.',
  endpoint_configured:
    'Change it in the file of NDS_ENDPOINTS_FILE and run `nds apps reload`, or in NDS_ENDPOINTS and restart.',
  held_back:
    'The provider throttles the token, or an earlier attempt may have arrived: nds tries again by itself.',
  token_throttled:
    'The provider throttles this token; others are not affected. `nds token show` says until when.',
  token_unregistered:
    'The provider says that the token is dead: the app was removed or its token changed. `nds token show` says since when.',
  rate_limited: 'Too many calls.',
  overloaded: 'The service is overloaded: run the command again a little later.',
  shutting_down: 'The service is stopping: run the command again when it has started.',
  provider_misconfigured:
    'The provider refuses what is configured for this app: `nds doctor` says which value is wrong.',
  store_unavailable:
    'The database is full, locked, damaged or cannot be reached: `nds doctor` says which.',
  reload_failed: 'Correct what is listed; the old configuration stays in use.',
};

/** Options that say what a field of the API says. */
const OPTIONS: Readonly<Record<string, string>> = {
  app: '--app',
  description: '--description',
  digest: '--digest',
  enabled_events: '--events',
  since: '--since',
  status: '--status',
  type: '--type',
};

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Of an answer that is not 2xx. */
export function describeRefusal(
  status: number,
  body: unknown,
  retryAfter: string | undefined,
): Refusal {
  const parsed = problem.safeParse(body);
  if (!parsed.success) return { code: 'unknown', message: `the service says ${status}` };
  const { code, detail, title = '', reason, errors = [], instance } = parsed.data;
  const faults = errors.map(({ field, message }) => `${optionOf(field)} ${message}`).join('; ');
  const said = faults || (isOwnWords(code, detail) ? detail : REMEDIES[code]) || detail || title;
  const wait = retryAfter === undefined ? '' : ` Wait ${retryAfter} s.`;
  const because = reason === undefined ? '' : `, ${reason}`;
  // The log has the cause of an internal error by the id of the request.
  const request = code === 'internal' && instance !== undefined ? `, ${instance}` : '';
  return { code, message: `${said}${wait} (${status} ${code}${because}${request})` };
}

/** A sentence about this one call, not the remedy of its code. */
function isOwnWords(code: string, detail: string | undefined): boolean {
  const remedies: Readonly<Record<string, { readonly remedy: string }>> = ERRORS;
  return detail !== undefined && detail !== remedies[code]?.remedy;
}

/** `enabled_events.0` is an entry of `--events`. */
function optionOf(field: string): string {
  const [name = ''] = field.split('.');
  return OPTIONS[name] ?? field;
}
