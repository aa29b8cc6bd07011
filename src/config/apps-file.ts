// The shape of the JSON of the apps, which NDS_APPS holds or the file that NDS_APPS_FILE names.

import { z } from 'zod';
import { MAX_APP_NAME_CHARACTERS } from '../core/target.ts';
import { APP_SETTINGS_SHAPE } from './app-settings.ts';
import { readNamedText } from './files.ts';
import { parsePastedJson } from './pasted-credentials.ts';

const appName = z
  .string()
  .regex(/^[A-Za-z0-9._-]+$/)
  .max(MAX_APP_NAME_CHARACTERS);
const tenCharacters = z.string().regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits');
const endpoint = z.url({ protocol: /^https$/ }).optional();
const environment = z.enum(['production', 'sandbox']);

const apnsKey = {
  key_file: z.string().optional(),
  key: z.string().optional(),
  key_id: tenCharacters,
};

const appsJson = z.record(
  appName,
  z.strictObject({
    apns: z
      .strictObject({
        ...apnsKey,
        second_key: z.strictObject(apnsKey).optional(),
        team_id: tenCharacters,
        topic: z.string().min(1),
        environment: z.union([environment, z.tuple([environment, environment])], {
          error: 'must be "production", "sandbox" or ["production", "sandbox"]',
        }),
        endpoint,
        sandbox_endpoint: endpoint,
      })
      .optional(),
    fcm: z
      .strictObject({
        credentials_file: z.string().optional(),
        credentials: z.record(z.string(), z.unknown()).optional(),
        application_default: z.literal(true, 'must be true or absent').optional(),
        project: z.string().optional(),
        endpoint,
      })
      .optional(),
    ...APP_SETTINGS_SHAPE,
  }),
);

export type NamedApp = z.output<typeof appsJson>[string];

export interface GivenApps {
  /** The setting that contains them, for messages. */
  readonly setting: 'NDS_APPS' | 'NDS_APPS_FILE';
  /** In their order; absent, with faults, if they cannot be read. */
  readonly apps: readonly { readonly name: string; readonly app: NamedApp }[] | undefined;
}

/** Reads the apps from the setting or its file; none if neither is set. */
export function parseApps(
  {
    apps: json,
    appsFile: path,
  }: { readonly apps?: string | undefined; readonly appsFile?: string | undefined },
  faults: string[],
): GivenApps {
  const setting = json === undefined ? 'NDS_APPS_FILE' : 'NDS_APPS';
  if (json === undefined && path === undefined) return { setting, apps: [] };
  const file = path === undefined ? undefined : { name: setting, path, forContent: 'use NDS_APPS' };
  const text = json ?? (file && readNamedText(file, faults));
  if (text === undefined) return { setting, apps: undefined };
  const pathVariable = json === undefined ? undefined : 'NDS_APPS_FILE';
  const read = parsePastedJson({ text, pathVariable });
  if ('fault' in read) {
    faults.push(`${json === undefined ? `the file of ${setting}` : setting} ${read.fault}`);
    return { setting, apps: undefined };
  }
  const parsed = appsJson.safeParse(read.json);
  if (parsed.success) {
    return { setting, apps: Object.entries(parsed.data).map(([name, app]) => ({ name, app })) };
  }
  for (const issue of parsed.error.issues) {
    faults.push(`${setting}: ${issue.path.join('.') || 'the JSON'}: ${issue.message}`);
  }
  return { setting, apps: undefined };
}
