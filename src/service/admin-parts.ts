// Assembles the page from the configuration and the parts of the operators' routes.

import { HistoryReader } from '../core/finding/history.ts';
import { tokenKey } from '../core/target.ts';
import { AdminPage } from '../http/admin/page.ts';
import type { AdminParts } from '../http/admin/parts.ts';
import { Sessions } from '../http/admin/sessions.ts';
import { SignIn } from '../http/admin/sign-in.ts';
import { createClientAddressOf } from '../http/limits/client-address.ts';
import type { OperatorParts } from '../http/operator/parts.ts';
import { describeCalls } from '../sources/descriptions.ts';
import type { HttpAppParts } from './http-app.ts';

export function adminParts(
  { config, core, live, clock, ids, devices, logReader, readiness, ...parts }: HttpAppParts,
  operator: OperatorParts,
): AdminParts {
  const access = {
    sessions: new Sessions({ keys: config.apiKeys, clock, ids }),
    networks: config.adminNetworks,
    externalUrl: config.externalUrl,
    clientAddressOf: createClientAddressOf(config.trustedAddressHeader),
  };
  const signIn = new SignIn(access, { clock, onSignedIn: operator.onAction });
  return {
    access,
    signIn,
    page: new AdminPage(),
    operator,
    devices,
    readiness,
    machineList: parts.machineList,
    history: new HistoryReader((options) => logReader.countPage(options), clock),
    lanes: () =>
      core.lanes.all.map(({ app, provider, inFlight }) => ({
        app,
        provider: provider.name,
        inFlight,
      })),
    typeNames: () => {
      const ofApps = operator
        .appNames()
        .flatMap((app) => Object.keys(live.rules.of(app).catalogue));
      return [...new Set([...ofApps, ...live.sources.ownTypes.names])];
    },
    proofsOf: (app, provider) => parts.proofs?.of(app, provider) ?? [],
    wakesOf: async (target) => await parts.wakes?.findHistory(ids.fingerprint(tokenKey(target))),
    describeCalls,
  };
}
