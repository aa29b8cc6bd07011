// The shape of the JSON file that NDS_APPS_FILE names.

import { z } from 'zod';
import { MAX_APP_NAME_CHARACTERS } from '../core/target.ts';
import { MOVE_TO_FILE, readNamedText } from './files.ts';
import { parsePastedJson } from './pasted-credentials.ts';

const appName = z
  .string()
  .regex(/^[A-Za-z0-9._-]+$/)
  .max(MAX_APP_NAME_CHARACTERS);
const tenCharacters = z.string().regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits');
const endpoint = z.url({ protocol: /^https$/ }).optional();

const appsFile = z.record(
  appName,
  z.strictObject({
    apns: z
      .strictObject({
        key_file: z.string().optional(),
        key: z.string().optional(),
        key_id: tenCharacters,
        team_id: tenCharacters,
        topic: z.string().min(1),
        environment: z.enum(['production', 'sandbox']),
        endpoint,
      })
      .optional(),
    fcm: z
      .strictObject({
        credentials_file: z.string().optional(),
        credentials: z.record(z.string(), z.unknown()).optional(),
        project: z.string().optional(),
        endpoint,
      })
      .optional(),
  }),
);

export type NamedApp = z.output<typeof appsFile>[string];

/** The apps of the file in their order; nothing, and faults, if it cannot be read as what it should be. */
export function parseAppsFile(
  path: string,
  faults: string[],
): readonly { readonly name: string; readonly app: NamedApp }[] | undefined {
  const text = readNamedText({ name: 'NDS_APPS_FILE', path, forContent: MOVE_TO_FILE }, faults);
  if (text === undefined) return undefined;
  const read = parsePastedJson({ text });
  if ('fault' in read) {
    faults.push(`the file of NDS_APPS_FILE ${read.fault}`);
    return undefined;
  }
  const parsed = appsFile.safeParse(read.json);
  if (parsed.success) return Object.entries(parsed.data).map(([name, app]) => ({ name, app }));
  for (const issue of parsed.error.issues) {
    faults.push(`NDS_APPS_FILE: ${issue.path.join('.') || 'the file'}: ${issue.message}`);
  }
  return undefined;
}
