// What an operator pastes into the search box, as keys of the log: nobody has to say whether it is a payment hash, a
// token or a webhook URL.

import { handleKey, userKey } from '../devices/registry.ts';
import { DEVICE_BOUNDS, type Door, HANDLE } from '../ports/devices.ts';
import type { Ids } from '../ports/ids.ts';
import type { LogKey } from '../ports/log.ts';
import { SUBJECT_PREFIX_CHARACTERS, subjectHashOf, subjectPrefixHash } from '../subject.ts';
import {
  type ApnsEnvironment,
  createTarget,
  MAX_FCM_TOKEN_CHARACTERS,
  tokenKey,
} from '../target.ts';

/** A URL with the longest token, every character of it escaped. */
export const MAX_QUESTION_CHARACTERS = 3 * MAX_FCM_TOKEN_CHARACTERS + 2_048;
const LEAST_CHARACTERS = SUBJECT_PREFIX_CHARACTERS;
const UUID_CHARACTERS = 36;
const FINGERPRINT_CHARACTERS = 32;
/** A SHA-256: a payment hash, a transaction id. */
const HASH_CHARACTERS = 64;

/** What keys are computed from: a token has a different key in each app, a handle at each door. */
export interface Names {
  readonly fingerprint: Ids['fingerprint'];
  readonly apps: readonly string[];
  readonly doors: readonly Door[];
}

export interface Asked {
  /** How a hash or id begins; absent where nothing may be shown: a token, a handle, a name. */
  readonly shown?: string | undefined;
  readonly keys: readonly LogKey[];
  /** It may be the beginning of a hash or id, of which it is too little. */
  readonly isTooShort?: boolean | undefined;
}

/** No keys if the log cannot contain it: too short, or only blanks. */
export function parseQuestion(text: string, names: Names): Asked {
  const given = text
    .trim()
    .replace(/^(["'`<])(.*)["'`>]$/s, '$2')
    .trim();
  if (given.length > MAX_QUESTION_CHARACTERS) return { keys: [] };
  return URL_FORM.test(given) ? parseUrl(given, names) : parseValue(given, names);
}

const URL_FORM = /^(?:[a-z]+:\/\/|\/)|\?.*token=/i;

/** For a webhook URL, the token in its query or the handle at the end of its path. */
function parseUrl(url: string, names: Names): Asked {
  const [path = '', query = ''] = url.split('#', 1)[0]?.split('?', 2) ?? [];
  const parameters = new URLSearchParams(query);
  const token = parameters.get('token');
  if (token !== null && token !== '') {
    const environment = parameters.get('environment') === 'sandbox' ? 'sandbox' : undefined;
    const app = parameters.get('app');
    const apps = app === null ? names.apps : [app];
    return { keys: tokenKeys(token, { ...names, apps }, [environment]) };
  }
  const last = path.split('/').findLast((segment) => segment !== '') ?? '';
  if (HANDLE.test(last)) return { keys: handleKeys(last, names) };
  return parseValue(last, names);
}

function parseValue(given: string, names: Names): Asked {
  // Mail programs break long hashes, and problems name requests as URNs.
  const value = given.replaceAll(/\s/g, '').replace(/^urn:uuid:/i, '');
  const isTooShort = /^[0-9a-f]{1,7}(?:…|\.+)?$/i.test(value);
  if (value.length < LEAST_CHARACTERS) {
    const keys = [...wholeSubjects(value, given, names), ...userKeys(given, names)];
    return { keys, isTooShort };
  }
  const id = readId(value);
  const keys = [
    ...(id === undefined ? [] : idKeys(id)),
    ...hexKeys(value, names),
    ...wholeSubjects(value, given, names),
    ...tokenKeys(value, names, [undefined, 'sandbox']),
    ...(HANDLE.test(value) ? handleKeys(value, names) : []),
    ...userKeys(given, names),
  ];
  return { shown: isId(value) ? abbreviate(value) : undefined, keys, isTooShort };
}

interface Id {
  readonly value: string;
  readonly end?: string | undefined;
}

/** Also as `nds` abbreviates it: its beginning, three dots and its end. */
const ABBREVIATED = /^([0-9a-f-]{8,})(?:…|\.{2,3})([0-9a-f]{0,12})$/;

/** A UUID or how it begins, with or without its dashes. */
function readId(given: string): Id | undefined {
  const text = given.toLowerCase();
  const [, beginning = text, end] = ABBREVIATED.exec(text) ?? [];
  const digits = beginning.replaceAll('-', '');
  if (!/^[0-9a-f]{8,32}$/.test(digits)) return undefined;
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ] as const;
  const value = parts
    .map(([from, to]) => digits.slice(from, to))
    .filter((part) => part !== '')
    .join('-');
  return { value, end: end === '' ? undefined : end };
}

function idKeys({ value, end }: Id): readonly LogKey[] {
  const isWhole = value.length === UUID_CHARACTERS;
  return (['delivery', 'request', 'device'] as const).map((kind) => ({
    kind,
    value,
    isWhole,
    end,
  }));
}

/** The beginning of a subject, and a fingerprint as other output of this service shows it. */
function hexKeys(given: string, { fingerprint }: Names): readonly LogKey[] {
  const [, digits = '', dots] = /^([0-9a-f]{8,})(…|\.{2,3})?$/.exec(given.toLowerCase()) ?? [];
  const prefix = /^[0-9a-f]{8}/.exec(given.toLowerCase())?.[0];
  const keys: LogKey[] = [];
  const isPart = digits.length < HASH_CHARACTERS || dots !== undefined;
  const isPartOfUuid = given.includes('-') && given.length < UUID_CHARACTERS;
  if (prefix !== undefined && (digits === '' ? isPartOfUuid : isPart)) {
    keys.push({ kind: 'subject', value: subjectPrefixHash(fingerprint, prefix), isWhole: false });
  }
  if (digits !== '' && digits.length <= FINGERPRINT_CHARACTERS) {
    const isWhole = digits.length === FINGERPRINT_CHARACTERS;
    keys.push(
      { kind: 'token', value: digits, isWhole },
      { kind: 'subject', value: digits, isWhole },
    );
  }
  return keys;
}

function wholeSubjects(value: string, given: string, { fingerprint }: Names): readonly LogKey[] {
  const spellings = new Set([value, given].filter((spelling) => spelling !== ''));
  return [...spellings].map((spelling) => whole('subject', subjectHashOf(fingerprint, spelling)));
}

function tokenKeys(
  token: string,
  { fingerprint, apps }: Names,
  environments: readonly (ApnsEnvironment | undefined)[],
): readonly LogKey[] {
  if (token.length > MAX_FCM_TOKEN_CHARACTERS) return [];
  const targets = apps.flatMap((app) => [
    ...environments.map((environment) =>
      createTarget({ app, platform: 'ios', token, environment }),
    ),
    createTarget({ app, platform: 'android', token }),
  ]);
  const keys = new Set(targets.map(tokenKey));
  return [...keys].map((key) => whole('token', fingerprint(key)));
}

function handleKeys(handle: string, { fingerprint, doors }: Names): readonly LogKey[] {
  return doors.map((door) => whole('handle', fingerprint(handleKey(door, handle))));
}

/** Public keys are registered in lower case. */
function userKeys(user: string, { fingerprint, apps }: Names): readonly LogKey[] {
  if (user === '' || user.length > DEVICE_BOUNDS.userCharacters) return [];
  const spellings = /^[0-9a-f]+$/i.test(user) ? new Set([user, user.toLowerCase()]) : [user];
  return apps.flatMap((app) =>
    [...spellings].map((spelling) => whole('user', fingerprint(userKey(app, spelling)))),
  );
}

function whole(kind: LogKey['kind'], value: string): LogKey {
  return { kind, value, isWhole: true };
}

/** An id or a hash, which may be shown by its beginning; an APNs token, too, but eight digits of it are no secret. */
function isId(value: string): boolean {
  return /^[0-9a-f-]{8,}[….0-9a-f]*$/i.test(value) && !HANDLE.test(value);
}

function abbreviate(value: string): string {
  return `${value.slice(0, 8).toLowerCase()}…`;
}
