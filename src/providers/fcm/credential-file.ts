// The credential as the operator configured it: the JSON from Google's consoles, or another file that was taken for it
// by mistake. Checks name the fault and how to fix it, and never repeat a value.

import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { GoogleAuthOptions } from 'google-auth-library';
import { z } from 'zod';

/** JSON of a credential, the path of a file with it, or Google's application default credentials. */
export type FcmCredentials = 'default' | { readonly keyFile: string } | object;

export type CredentialJson = NonNullable<GoogleAuthOptions['credentials']> & {
  readonly project_id?: string;
  readonly token_uri?: string;
};

const text = z.string().min(1);
/** The fields that google-auth-library needs for each type and does not check itself. */
const REQUIRED = {
  service_account: z.object({ client_email: text, private_key: text }),
  authorized_user: z.object({ client_id: text, client_secret: text, refresh_token: text }),
  external_account: z.object({ audience: text, subject_token_type: text }),
  external_account_authorized_user: z.object({ audience: text, refresh_token: text }),
  impersonated_service_account: z.object({ service_account_impersonation_url: text }),
} as const;

const common = z.object({
  type: z.string().optional(),
  project_id: text.optional(),
  token_uri: z.url().optional(),
});
const GET_ONE =
  'create a key in the Firebase console under Project settings, Service accounts, "Generate new private key"';
const PROJECT_ID = /^[a-z0-9][a-z0-9.:-]{0,99}$/;

/** What is wrong with a parsed credential JSON and how to fix it; never repeats a value of it. */
export function checkFcmCredentials(json: unknown): string | undefined {
  const parsed = common.safeParse(json);
  if (!parsed.success) return `is not a credential JSON (${fieldsOf(parsed.error)}): ${GET_ONE}`;
  const { type } = parsed.data;
  if (type === undefined) return whatItIsInstead(json);
  const schema = Object.entries(REQUIRED).find(([name]) => name === type)?.[1];
  if (schema === undefined) {
    return `has a type that is none of ${Object.keys(REQUIRED).join(', ')}: ${GET_ONE}`;
  }
  const required = schema.safeParse(json);
  if (!required.success) return `of type ${type} lacks ${fieldsOf(required.error)}: ${GET_ONE}`;
  return 'private_key' in required.data ? checkPrivateKey(required.data.private_key) : undefined;
}

export function checkFcmProjectId(projectId: string): string | undefined {
  return PROJECT_ID.test(projectId)
    ? undefined
    : 'must be the project id of the Firebase console (Project settings), not its number or name';
}

/** @throws an error for the operator. */
export async function readCredentials(
  credentials: Exclude<FcmCredentials, 'default'>,
): Promise<CredentialJson> {
  const json =
    'keyFile' in credentials ? await readJsonFile(String(credentials.keyFile)) : credentials;
  if (isUsable(json)) return json;
  throw new Error(`FCM credential ${checkFcmCredentials(json)}`);
}

function isUsable(json: unknown): json is CredentialJson {
  return checkFcmCredentials(json) === undefined;
}

async function readJsonFile(path: string): Promise<unknown> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (cause) {
    throw new Error('FCM credential file cannot be read: check its path and permissions', {
      cause,
    });
  }
  try {
    return JSON.parse(content);
  } catch {
    // Without the cause: a JSON error quotes the text, and with it a key.
    throw new Error(`FCM credential file is not JSON: ${GET_ONE}`);
  }
}

function whatItIsInstead(json: unknown): string {
  const has = (key: string): boolean => typeof json === 'object' && json !== null && key in json;
  if (has('project_info')) return `is the app's google-services.json, not a credential: ${GET_ONE}`;
  if (has('apiKey')) return `is the web app's configuration, not a credential: ${GET_ONE}`;
  if (has('installed') || has('web')) return `is an OAuth client, not a credential: ${GET_ONE}`;
  return `has no "type": ${GET_ONE}`;
}

function checkPrivateKey(pem: string): string | undefined {
  if (!pem.includes('\n') && pem.includes('\\n')) {
    return 'has \\n spelled out twice in private_key: give the JSON as Google handed it out';
  }
  try {
    if (createPrivateKey(pem).asymmetricKeyType === 'rsa') return undefined;
  } catch {
    // Reported below, without the error, which can quote the key.
  }
  return `has a private_key that is no RSA key in PEM: ${GET_ONE}`;
}

function fieldsOf(error: z.ZodError): string {
  const fields = error.issues.map((issue) => issue.path.join('.')).filter((path) => path !== '');
  return fields.length === 0 ? 'not an object' : fields.join(', ');
}
