// The operators' routes as their callers use them, with a key for each scope.

import { type Answer, send } from './callers.ts';
import { REGISTRY_ENVIRONMENT } from './registry.ts';
import type { Setup } from './service.ts';

export const KEYS = {
  read: 'a-key-that-may-read-and-is-only-for-tests',
  operate: 'a-key-that-may-operate-and-is-only-for-tests',
  register: 'a-key-that-may-register-and-is-only-for-tests',
  endpoints: 'a-key-for-endpoints-which-is-only-for-tests',
  all: 'a-key-that-may-do-all-and-is-only-for-tests',
} as const;

export const OPERATOR_ENVIRONMENT = {
  ...REGISTRY_ENVIRONMENT,
  NDS_API_KEYS: [
    `reader:read:${KEYS.read}`,
    `operator:operate:${KEYS.operate}`,
    `registrar:register:${KEYS.register}`,
    `backend:endpoints:${KEYS.endpoints}`,
    `all:read+operate+register+endpoints:${KEYS.all}`,
  ].join(','),
};

export interface OperatorCall {
  /** Default GET. */
  readonly method?: string;
  /** The part after `/api/v1`. */
  readonly path: string;
  readonly body?: object | string;
  /** Default: the key with all scopes; none if null. */
  readonly key?: string | null;
}

export function operate(
  { service }: Pick<Setup, 'service'>,
  { method = 'GET', path, body, key = KEYS.all }: OperatorCall,
): Promise<Answer> {
  return send(service.url, {
    method,
    path: `/api/v1${path}`,
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** The body of a success; throws if the call was refused. */
export function told({ status, text }: Answer): unknown {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return JSON.parse(text);
}
