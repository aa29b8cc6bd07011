// The operators' routes: path, method, and the scope that a key needs for them.

import type { Principal, Scope } from '../../core/operating/scopes.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { handleListApps, handleReload } from './apps.ts';
import { handleListDeliveries, handleReadDelivery, handleRetry } from './deliveries.ts';
import {
  handleAttempts,
  handleChangeEndpoint,
  handleCreateEndpoint,
  handleDeleteEndpoint,
  handleListEndpoints,
  handleReadEndpoint,
  handleRedeliver,
  handleRotate,
  handleTestEndpoint,
} from './endpoints.ts';
import { handleFind, handleFindByBody, handleStats } from './finding.ts';
import { handleImport, MAX_IMPORT_BYTES } from './import.ts';
import type { OperatorParts } from './parts.ts';
import { handleListRefusals } from './refusals.ts';
import { handleStream } from './stream.ts';
import { handleTestPush } from './test-pushes.ts';
import {
  handleForgetToken,
  handleForgetUser,
  handleListQuarantine,
  handleReleaseQuarantine,
} from './tokens.ts';

export interface OperatorRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly scope: Scope;
  readonly maxBodyBytes?: number | undefined;
  readonly handle: (parts: OperatorParts, c: HttpContext) => Response | Promise<Response>;
}

const ONE = '/api/v1/endpoints/:id';
const ENDPOINT_ROUTES = (
  [
    ['GET', '/api/v1/endpoints', handleListEndpoints],
    ['POST', '/api/v1/endpoints', handleCreateEndpoint],
    ['GET', ONE, handleReadEndpoint],
    ['PATCH', ONE, handleChangeEndpoint],
    ['DELETE', ONE, handleDeleteEndpoint],
    ['POST', `${ONE}/secret/rotate`, handleRotate],
    ['POST', `${ONE}/test`, handleTestEndpoint],
    ['GET', `${ONE}/attempts`, handleAttempts],
    ['POST', `${ONE}/redeliver`, handleRedeliver],
  ] as const
).map(
  ([method, path, handle]): OperatorRoute => ({
    ...{ method, path, scope: 'endpoints' },
    // The same on every machine.
    async handle(parts, c) {
      await reading(() => parts.endpoints.refresh());
      return await handle(parts, c);
    },
  }),
);

export const OPERATOR_ROUTES: readonly OperatorRoute[] = [
  { method: 'GET', path: '/api/v1/deliveries', scope: 'read', handle: handleListDeliveries },
  { method: 'GET', path: '/api/v1/deliveries/:id', scope: 'read', handle: handleReadDelivery },
  { method: 'POST', path: '/api/v1/deliveries/:id/retry', scope: 'operate', handle: handleRetry },
  { method: 'POST', path: '/api/v1/test-pushes', scope: 'operate', handle: handleTestPush },
  { method: 'DELETE', path: '/api/v1/users/:user', scope: 'operate', handle: handleForgetUser },
  {
    method: 'DELETE',
    path: '/api/v1/tokens/:fingerprint',
    scope: 'operate',
    handle: handleForgetToken,
  },
  { method: 'GET', path: '/api/v1/quarantine', scope: 'read', handle: handleListQuarantine },
  {
    method: 'DELETE',
    path: '/api/v1/quarantine/:fingerprint',
    scope: 'operate',
    handle: handleReleaseQuarantine,
  },
  {
    method: 'POST',
    path: '/api/v1/devices/import',
    scope: 'register',
    maxBodyBytes: MAX_IMPORT_BYTES,
    handle: handleImport,
  },
  { method: 'GET', path: '/api/v1/refusals', scope: 'read', handle: handleListRefusals },
  { method: 'GET', path: '/api/v1/find', scope: 'read', handle: handleFind },
  { method: 'POST', path: '/api/v1/find', scope: 'read', handle: handleFindByBody },
  { method: 'GET', path: '/api/v1/stats', scope: 'read', handle: handleStats },
  { method: 'GET', path: '/api/v1/apps', scope: 'read', handle: handleListApps },
  { method: 'POST', path: '/api/v1/apps/reload', scope: 'operate', handle: handleReload },
  { method: 'GET', path: '/api/v1/stream', scope: 'read', handle: handleStream },
  ...ENDPOINT_ROUTES,
];

/** Checks the key, and logs who changed something. */
export async function handleOperator(
  parts: OperatorParts,
  c: HttpContext,
  { method, path, scope, handle }: OperatorRoute,
): Promise<Response> {
  const caller: Principal = parts.devices.auth.require(c.env, scope);
  const response = await handle(parts, c);
  if (scope !== 'read' && method !== 'GET')
    parts.onAction({ by: caller.name, method, route: path });
  return response;
}
