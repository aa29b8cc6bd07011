// The targets of the floods: a device with a URL at every door, calls with valid signatures, valid keys.

import { z } from 'zod';
import { DEMO_CALLS } from '../../sandbox/demo/calls.ts';
import { SCOPES } from '../../src/core/operating/scopes.ts';
import { OPERATOR_ROUTES } from '../../src/http/operator/routes.ts';
import { notifyPath } from '../support/service.ts';
import {
  epayCall,
  paymentApiCall,
  paymentflowCall,
  resmicCall,
  sparkPaymentCall,
  sparkSspCall,
  standardCall,
} from '../support/signed-calls.ts';
import { IOS_MARKER_TOKEN, MARKER } from './marker.ts';
import type { Targets } from './requests.ts';

const BACKEND_KEY = `${MARKER}-backend-key`;
const APP_KEY = `${MARKER}-app-key-for-fuzz`;
const API_KEY = `${MARKER}-api-key-of-an-operator`;
const SECRET = `${MARKER}-device-secret`;
const STANDARD_SECRET = `whsec_${Buffer.from(`${MARKER}-standard-webhooks-secret`).toString('base64')}`;
const DOMAIN = 'pay.example.com';
const USER = `02${'ab'.repeat(32)}`;

export const FUZZ_ENVIRONMENT = {
  NDS_SECRET: `${MARKER}-secret-of-the-database`,
  NDS_BACKEND_KEYS: BACKEND_KEY,
  NDS_APP_KEYS: `default=${APP_KEY}`,
  NDS_API_KEYS: `fuzz:${SCOPES.join('+')}:${API_KEY}`,
  NDS_SELF_REGISTRATION: 'on',
  NDS_SOURCES: JSON.stringify({ domains: { [DOMAIN]: { secrets: [SECRET] } } }),
  NDS_REPLY_DEADLINE: '1s',
};

/** Limits so high that they hide no answer. */
export const NO_LIMITS = {
  NDS_TOKEN_RATE: '9999999/9999999',
  NDS_GLOBAL_RATE: '9999999/9999999',
  NDS_REGISTRATION_RATE: '9999999/9999999',
  NDS_ADDRESS_RATE: '9999999/9999999',
};

const registered = z.object({ id: z.string(), urls: z.record(z.string(), z.string()) });
type Registered = z.output<typeof registered>;

async function register(url: string, device: object): Promise<Registered> {
  const response = await fetch(`${url}/api/v1/devices`, {
    method: 'POST',
    headers: { authorization: `Bearer ${BACKEND_KEY}` },
    body: JSON.stringify(device),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return registered.parse(await response.json());
}

/** Registers devices at the running service. The device whose id the requests contain may be deleted by them. */
export async function prepareTargets(url: string): Promise<Targets> {
  const secrets = Object.fromEntries(
    ['spark_ssp', 'resmic', 'paymentflow', 'payment_api'].map((source) => [source, [SECRET]]),
  );
  const phone = await register(url, {
    platform: 'ios',
    token: IOS_MARKER_TOKEN,
    user: USER,
    secrets: { ...secrets, standard: [STANDARD_SECRET] },
  });
  const victim = await register(url, { platform: 'android', token: `${MARKER}:APA91bVictim` });
  const path = (door: string) => new URL(phone.urls[door] ?? 'missing:').pathname;
  const at = (door: string) => ({ path: path(door), secret: SECRET });
  const domainPath = `/api/v1/webhooks/spark_payment_received/${DOMAIN}`;
  const calls = [
    ...DEMO_CALLS.map(({ body }) => ({ path: notifyPath(`${MARKER}-demo`), headers: {}, body })),
    resmicCall(at('resmic')),
    paymentflowCall(at('paymentflow')),
    paymentApiCall(at('payment_api')),
    sparkSspCall(at('spark_ssp')),
    epayCall({ path: path('epay') }),
    standardCall({ path: path('standard'), secret: STANDARD_SECRET }, { nowMs: Date.now() }),
    sparkPaymentCall({ path: domainPath, secret: SECRET, user: USER }),
  ];
  const devices = '/api/v1/devices';
  return {
    keys: [BACKEND_KEY, APP_KEY, API_KEY, MARKER],
    calls,
    paths: [
      ...Object.keys(phone.urls).map(path),
      ...['/api/v1/notify', '/notify', '/api/v1/notify/x', '/n/x', '/api/v1/response/x'],
      ...[`/api/v1/lsps5/${MARKER}`, `/api/v1/webhooks/${MARKER}/x`, domainPath],
      ...[devices, `${devices}?user=${MARKER}`, `${devices}/${victim.id}`, `${devices}/x`],
      ...[`${devices}/${victim.id}/token`, `${devices}/${victim.id}/handles/notify`],
      ...[`${devices}/${MARKER}/handles/${MARKER}`, '/healthz', '/readyz', '/metrics', '/docs'],
      ...['/openapi.json', '/', ...operatorPaths()],
    ],
  };
}

/** All paths except the stream, which never ends, and the reload, which reads files and is tested elsewhere. */
function operatorPaths(): readonly string[] {
  const paths = OPERATOR_ROUTES.map(({ path }) => path.replaceAll(/:\w+/g, MARKER));
  const some = paths.filter((path) => !/\/(?:stream|reload)$/.test(path));
  return [...new Set(some), `/api/v1/find?q=${MARKER}`, `/api/v1/tokens/${'ab'.repeat(16)}`];
}
