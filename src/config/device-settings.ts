// The settings of the registry and of the API: who may register devices, who may read and operate.

import { apiKeyList } from './api-keys.ts';
import { appKeyList, duration, integer, keyList, networkList, onOrOff, rate } from './values.ts';

export const DEVICE_SETTINGS = {
  tokenForm: {
    name: 'NDS_TOKEN_FORM',
    group: 'Devices',
    help: 'Whether callers may put the push token itself into the URL; set `off` when all wallets have handles.',
    defaultText: 'on',
    schema: onOrOff,
  },
  backendKeys: {
    name: 'NDS_BACKEND_KEYS',
    group: 'Devices',
    secret: true,
    help: 'Bearer tokens of the vendor’s backend, separated by commas (several during a rotation), 16 characters or more each. They may register, read, change and delete every device. Needs NDS_SECRET.',
    defaultText: '',
    schema: keyList,
  },
  appKeys: {
    name: 'NDS_APP_KEYS',
    group: 'Devices',
    secret: true,
    help: 'Bearer tokens that ship inside apps, as APP=KEY separated by commas. They may only register. Needs NDS_SECRET.',
    defaultText: '',
    schema: appKeyList,
  },
  selfRegistration: {
    name: 'NDS_SELF_REGISTRATION',
    group: 'Devices',
    help: 'Whether a wallet may register itself by a signed message. Needs NDS_SECRET and NOTIFY_EXTERNAL_URL.',
    defaultText: 'off',
    schema: onOrOff,
  },
  registrationRate: {
    name: 'NDS_REGISTRATION_RATE',
    group: 'Devices',
    help: 'Registrations for each app, BURST/PER_SECOND: one limit for its app keys, and one for wallets that register themselves.',
    defaultText: '500/50',
    schema: rate,
  },
  maxDevicesPerUser: {
    name: 'NDS_MAX_DEVICES_PER_USER',
    group: 'Devices',
    help: 'How many devices one user of an app may have.',
    defaultText: '50',
    schema: integer(1, 1_000),
  },
  maxDevices: {
    name: 'NDS_MAX_DEVICES',
    group: 'Devices',
    help: 'How many devices may be registered in all; the last tenth is reserved for the backend.',
    defaultText: '1000000',
    schema: integer(1, 100_000_000),
  },
  deviceDeadMs: {
    name: 'NDS_DEVICE_DEAD_AFTER',
    group: 'Devices',
    help: 'After how long a device whose token is dead is deleted.',
    defaultText: '60d',
    schema: duration('1d', '3650d'),
  },
  deviceUnseenMs: {
    name: 'NDS_DEVICE_UNSEEN_AFTER',
    group: 'Devices',
    help: 'After how long a device that neither registered nor got a push is deleted.',
    defaultText: '365d',
    schema: duration('1d', '3650d'),
  },
} as const;

export const API_SETTINGS = {
  apiKeys: {
    name: 'NDS_API_KEYS',
    group: 'API',
    secret: true,
    help: 'Bearer keys of the API (docs/api.md), as NAME:SCOPE+SCOPE:SECRET separated by commas, several during a rotation. Scopes are read, operate, register and endpoints; a secret has 32 characters or more (try `openssl rand -base64 32`). Without any the routes do not exist.',
    defaultText: '',
    schema: apiKeyList,
  },
  adminNetworks: {
    name: 'NDS_ADMIN_NETWORKS',
    group: 'API',
    help: 'From which networks the page under /admin exists (docs/admin-page.md), as CIDRs separated by commas; from everywhere if empty. Behind a proxy it needs NDS_TRUSTED_ADDRESS_HEADER.',
    defaultText: '',
    example: '10.0.0.0/8,2001:db8::/32',
    schema: networkList,
  },
} as const;
