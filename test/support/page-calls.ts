// The page's calls as its script makes them: a session cookie, our header, our origin.

import { type Answer, send } from './callers.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from './operator-calls.ts';
import type { Setup } from './service.ts';

export const PAGE_KEYS = {
  read: KEYS.read,
  operate: 'demo_key-that-may-read-and-operate-in-tests',
  register: 'demo_key-that-may-read-and-register-in-tests',
  endpoints: 'demo_key-that-may-read-and-has-endpoints-in-tests',
  all: KEYS.all,
} as const;

export const PAGE_ENVIRONMENT = {
  ...OPERATOR_ENVIRONMENT,
  NDS_API_KEYS: [
    OPERATOR_ENVIRONMENT.NDS_API_KEYS,
    `oncall:read+operate:${PAGE_KEYS.operate}`,
    `support:read+register:${PAGE_KEYS.register}`,
    `vendor:read+endpoints:${PAGE_KEYS.endpoints}`,
  ].join(','),
};

export interface PageCall {
  /** Default GET. */
  readonly method?: string;
  /** The part after `/admin`. */
  readonly path: string;
  readonly body?: object;
  /** Headers that replace or extend those of the script; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly cookie?: string | undefined;
}

export function callPage(
  { service }: Pick<Setup, 'service'>,
  { method = 'GET', path, body, headers = {}, cookie }: PageCall,
): Promise<Answer> {
  const { host } = new URL(service.url);
  const given = {
    'nds-page': '1',
    ...(method === 'GET' ? {} : { origin: `http://${host}` }),
    ...(cookie === undefined ? {} : { cookie }),
    ...headers,
  };
  const sent = Object.entries(given).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  );
  return send(service.url, {
    method,
    path: `/admin${path}`,
    headers: Object.fromEntries(sent),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export function signIn(
  running: Pick<Setup, 'service'>,
  key: string,
  headers: PageCall['headers'] = {},
): Promise<Answer> {
  return callPage(running, { method: 'POST', path: '/session', body: { key }, headers });
}

/** `name=value`; throws if the answer sets none. */
export function cookieOf({ headers, status, text }: Answer): string {
  const [cookie] = headers['set-cookie'] ?? [];
  if (cookie === undefined) throw new Error(`no cookie: ${status} ${text}`);
  return cookie.split(';')[0] ?? '';
}

/** A session for this key, as a cookie. */
export async function sessionWith(running: Pick<Setup, 'service'>, key: string): Promise<string> {
  return cookieOf(await signIn(running, key));
}
