// The routes of the page: the page itself, sessions, its views as pieces of HTML, and the operators' routes a second
// time, with a session instead of a key.

import type { Scope } from '../../core/operating/scopes.ts';
import type { HttpContext } from '../context.ts';
import { handleDeleteDevice, handleRevokeHandle } from '../devices/routes.ts';
import { handleOperator, OPERATOR_ROUTES, type OperatorRoute } from '../operator/routes.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { showCallers } from './show-callers.ts';
import { showDevices } from './show-devices.ts';
import { showEndpoints } from './show-endpoints.ts';
import { showFound } from './show-find.ts';
import { showFilters, showLog, showNow } from './show-now.ts';

export interface AdminRoute {
  readonly method: OperatorRoute['method'];
  readonly path: string;
  /** The scope that the session's key needs; absent if there is no session yet. */
  readonly scope?: Scope | undefined;
  readonly maxBodyBytes?: number | undefined;
  readonly handle: (parts: AdminParts, c: HttpContext) => Response | Promise<Response>;
}

/** The changes to devices that the page can make. */
const DEVICE_ROUTES: readonly OperatorRoute[] = [
  {
    method: 'DELETE',
    path: '/api/v1/devices/:id',
    scope: 'register',
    handle: ({ devices }, c) => handleDeleteDevice(devices, c),
  },
  {
    method: 'DELETE',
    path: '/api/v1/devices/:id/handles/:door',
    scope: 'register',
    handle: ({ devices }, c) => handleRevokeHandle(devices, c),
  },
];

export const ADMIN_ROUTES: readonly AdminRoute[] = [
  { method: 'GET', path: '/admin', handle: ({ page }, c) => page.shell(c) },
  { method: 'GET', path: '/admin/files/:version/:name', handle: ({ page }, c) => page.file(c) },
  { method: 'GET', path: '/admin/session', handle: ({ signIn }, c) => signIn.whoIs(c) },
  { method: 'POST', path: '/admin/session', handle: ({ signIn }, c) => signIn.signIn(c) },
  { method: 'DELETE', path: '/admin/session', handle: ({ signIn }, c) => signIn.signOut(c) },
  { method: 'POST', path: '/admin/view/find', scope: 'read', handle: showFound },
  { method: 'GET', path: '/admin/view/now', scope: 'read', handle: showNow },
  { method: 'GET', path: '/admin/view/filters', scope: 'read', handle: showFilters },
  { method: 'GET', path: '/admin/view/log', scope: 'read', handle: showLog },
  { method: 'POST', path: '/admin/view/devices', scope: 'read', handle: showDevices },
  { method: 'GET', path: '/admin/view/callers', scope: 'read', handle: showCallers },
  { method: 'GET', path: '/admin/view/endpoints', scope: 'read', handle: showEndpoints },
  ...[...OPERATOR_ROUTES, ...DEVICE_ROUTES].map(bySession),
];

/** The page sends no key: its session replaces one. */
function bySession(route: OperatorRoute): AdminRoute {
  return {
    ...route,
    path: `/admin${route.path}`,
    handle: ({ access, operator }, c) => {
      c.env = { ...c.env, principal: requireSession(access, c) };
      return handleOperator(operator, c, route);
    },
  };
}
