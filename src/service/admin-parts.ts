// The page, put together from the configuration and what the operators' routes have.

import { Page } from '../http/admin/page.ts';
import type { AdminParts } from '../http/admin/parts.ts';
import { Sessions } from '../http/admin/sessions.ts';
import { SignIn } from '../http/admin/sign-in.ts';
import { createClientAddressOf } from '../http/limits/client-address.ts';
import type { OperatorParts } from '../http/operator/parts.ts';
import type { HttpAppParts } from './http-app.ts';

export function adminParts(
  { config, clock, ids }: HttpAppParts,
  operator: OperatorParts,
): AdminParts {
  const access = {
    sessions: new Sessions({ keys: config.apiKeys, clock, ids }),
    networks: config.adminNetworks,
    externalUrl: config.externalUrl,
    clientAddressOf: createClientAddressOf(config.trustedAddressHeader),
  };
  const signIn = new SignIn(access, { clock, onSignedIn: operator.onAction });
  return { access, signIn, page: new Page(), operator };
}
