// The credentials of one app, wherever they were written: read, checked for common forms of damage, and reported by the
// name of the setting or field.

import { checkFcmCredentials } from '../providers/fcm/credential-file.ts';
import { readNamedText } from './files.ts';
import { faultOfPem, parsePastedJson } from './pasted-credentials.ts';

export const APPLE = {
  production: 'https://api.push.apple.com',
  sandbox: 'https://api.sandbox.push.apple.com',
} as const;
export const GOOGLE = 'https://fcm.googleapis.com';

export interface ApnsCredentials {
  /** PEM of the .p8 file. */
  readonly key: string;
  readonly keyId: string;
  readonly teamId: string;
  /** During a rotation: the key that is used while Apple refuses the first. */
  readonly secondKey?: { readonly key: string; readonly keyId: string } | undefined;
  readonly topic: string;
  readonly environment: 'production' | 'sandbox';
  readonly endpoint: string;
  /** Where pushes to builds from Xcode go, if the app has both environments; `endpoint` is then production. */
  readonly sandboxEndpoint?: string | undefined;
}

export interface FcmCredentials {
  /** The parsed JSON of a credential, or Google's application default credentials. */
  readonly credentials: Readonly<Record<string, unknown>> | 'default';
  readonly projectId: string;
  readonly endpoint: string;
}

/** Where a credential may be: in a setting itself, or in the file that another setting names. */
export interface Places<Value> {
  readonly content: Value;
  readonly file: Value;
}

export function readApnsKey(
  given: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): string | undefined {
  const text = textOf(given, names, faults);
  if (text === undefined) return undefined;
  const isFile = given.content === undefined;
  const fault = faultOfPem({ text, pathVariable: isFile ? undefined : names.file });
  if (fault === undefined) return text;
  faults.push(`${isFile ? `the file of ${names.file}` : names.content} ${fault}`);
  return undefined;
}

function textOf(
  { content, file }: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): string | undefined {
  if (content !== undefined || file === undefined) return content;
  const forContent = `use ${names.content}`;
  return readNamedText({ name: names.file, path: file, forContent }, faults);
}

export function readFcmCredentials(
  input: {
    readonly places: Places<string | undefined>;
    readonly names: Places<string>;
    readonly project: string | undefined;
    /** Whether one was given, valid or not. */
    readonly hasProject: boolean;
    readonly endpoint: string;
  },
  faults: string[],
): FcmCredentials | undefined {
  const { places, names, project, hasProject, endpoint } = input;
  const text = textOf(places, names, faults);
  if (text === undefined) return undefined;
  const isFile = places.content === undefined;
  const source = isFile ? `the file of ${names.file}` : names.content;
  const parsed = parsePastedJson({ text, pathVariable: isFile ? undefined : names.file });
  const fault = 'fault' in parsed ? parsed.fault : faultOfCredential(parsed.json);
  if (fault !== undefined || 'fault' in parsed || !isRecord(parsed.json)) {
    faults.push(`${source} ${fault}`);
    return undefined;
  }
  const { project_id: ownProject } = parsed.json;
  const projectId = project ?? (typeof ownProject === 'string' ? ownProject : undefined);
  if (projectId !== undefined) return { credentials: parsed.json, projectId, endpoint };
  if (!hasProject) faults.push(`${source} names no project_id; set GOOGLE_CLOUD_PROJECT`);
  return undefined;
}

function faultOfCredential(json: unknown): string | undefined {
  if (!isRecord(json)) return 'must hold a JSON object, as Google’s console hands it out';
  return checkFcmCredentials(json);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasOne(
  places: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): boolean {
  const count = Object.values(places).filter((value) => value !== undefined).length;
  if (count === 0) faults.push(`${names.file} is missing`);
  if (count === 2)
    faults.push(`${names.content} and ${names.file} are both set: remove one of them`);
  return count === 1;
}
