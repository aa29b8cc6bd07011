// The settings that hold or name credentials: of Apple, of Google, of further apps and of signed callers.

import { z } from 'zod';
import type { Setting } from './settings.ts';
import { egressProxy, httpsOrigin, text } from './values.ts';

export const APNS_SETTINGS = {
  apnsKey: {
    name: 'APNS_KEY',
    group: 'APNs',
    secret: true,
    help: 'The content of the .p8 file of an APNs authentication key (line breaks may be written as \\n).',
    schema: text.transform((value) => value.replaceAll('\\n', '\n')).optional(),
  },
  apnsKeyFile: {
    name: 'APNS_KEY_FILE',
    group: 'APNs',
    help: 'The path of the .p8 file, instead of APNS_KEY.',
    example: './AuthKey_ABC123DEFG.p8',
    schema: text.optional(),
  },
  apnsKeyId: {
    name: 'APNS_KEY_ID',
    group: 'APNs',
    help: 'The key’s 10-character id, as Apple’s developer account lists it.',
    example: 'ABC123DEFG',
    schema: z
      .string()
      .regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits')
      .optional(),
  },
  apnsTeamId: {
    name: 'APNS_TEAM_ID',
    group: 'APNs',
    help: 'The 10-character id of the developer team.',
    example: 'DEF123GHIJ',
    schema: z
      .string()
      .regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits')
      .optional(),
  },
  apnsTopic: {
    name: 'APNS_TOPIC',
    group: 'APNs',
    help: 'The app’s bundle id.',
    example: 'com.example.wallet',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,155}$/, 'must be a bundle id')
      .optional(),
  },
  apnsEnvironment: {
    name: 'APNS_ENVIRONMENT',
    group: 'APNs',
    help: '`production` for apps from TestFlight and the App Store, `sandbox` for apps installed by Xcode. Their tokens differ.',
    example: 'production',
    schema: z.enum(['production', 'sandbox'], 'must be production or sandbox').optional(),
  },
  apnsEndpoint: {
    name: 'APNS_ENDPOINT',
    group: 'APNs',
    help: 'Another address for APNs: Apple’s port 2197, a proxy, or the stand-in.',
    example: 'https://api.push.apple.com:2197',
    schema: httpsOrigin.optional(),
  },
} as const satisfies Record<string, Setting>;

export const FCM_SETTINGS = {
  googleCredentialsJson: {
    name: 'GOOGLE_APPLICATION_CREDENTIALS_JSON',
    group: 'FCM',
    secret: true,
    help: 'The JSON of a Google service account that may send through FCM.',
    schema: text.optional(),
  },
  googleCredentialsFile: {
    name: 'GOOGLE_APPLICATION_CREDENTIALS',
    group: 'FCM',
    help: 'The path of that JSON file, or, as breez/notify has it, the JSON itself; instead of GOOGLE_APPLICATION_CREDENTIALS_JSON.',
    example: './service-account.json',
    schema: text.optional(),
  },
  googleProject: {
    name: 'GOOGLE_CLOUD_PROJECT',
    group: 'FCM',
    help: 'The Firebase project, if it is not the service account’s own. Without a service account the machine’s own Google credentials are used (application default credentials).',
    example: 'my-wallet',
    schema: z
      .string()
      .regex(/^[a-z0-9.:-]{1,64}$/, 'must be a project id')
      .optional(),
  },
  fcmEndpoint: {
    name: 'FCM_ENDPOINT',
    group: 'FCM',
    help: 'Another address for FCM: a proxy, or the stand-in.',
    schema: httpsOrigin.optional(),
  },
} as const satisfies Record<string, Setting>;

export const APP_SETTINGS = {
  providerCaFile: {
    name: 'NDS_PROVIDER_CA_FILE',
    group: 'Providers',
    help: 'A PEM file of certificate authorities to trust for the providers in addition to the usual ones: for a proxy or the stand-ins.',
    schema: text.optional(),
  },
  httpsProxy: {
    name: 'HTTPS_PROXY',
    group: 'Providers',
    secret: true,
    help: 'An egress proxy, http://[user:password@]host:port, through which all connections to Apple and Google go by CONNECT.',
    example: 'http://proxy.internal:3128',
    schema: egressProxy.optional(),
  },
  noProxy: {
    name: 'NO_PROXY',
    group: 'Providers',
    help: 'Hosts that are reached without HTTPS_PROXY, separated by commas.',
    example: '169.254.169.254,metadata.google.internal',
    schema: text.optional(),
  },
  apps: {
    name: 'NDS_APPS',
    group: 'Providers',
    secret: true,
    help: 'Further apps with their credentials and settings, as JSON; see docs/configuration.md, “Several apps”.',
    schema: text.optional(),
  },
  appsFile: {
    name: 'NDS_APPS_FILE',
    group: 'Providers',
    help: 'The path of that JSON, instead of NDS_APPS.',
    example: './apps.json',
    schema: text.optional(),
  },
} as const satisfies Record<string, Setting>;

export const SOURCE_SETTINGS = {
  sources: {
    name: 'NDS_SOURCES',
    group: 'Signed sources',
    secret: true,
    help: 'What signed callers need, as JSON: secrets, domains, generic sources; see docs/sources.',
    schema: text.optional(),
  },
  sourcesFile: {
    name: 'NDS_SOURCES_FILE',
    group: 'Signed sources',
    help: 'The path of that JSON, instead of NDS_SOURCES.',
    example: './sources.json',
    schema: text.optional(),
  },
} as const satisfies Record<string, Setting>;
