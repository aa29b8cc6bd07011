// Looks through what every service of the tests wrote, its log and the files of its database, for what may not be there:
// the tokens and handles of the URLs that a test called, and the secrets of its configuration.

import { existsSync } from 'node:fs';
import { readDatabaseFiles } from './database-files.ts';

/** Shorter texts are words of a test that may stand anywhere. */
const MIN_CHARACTERS = 12;
/** Of a test with thousands of phones, the first are looked for. */
const MAX_SECRETS = 200;
/** What follows in a path is a handle. */
const DOORS = /^\/(?:n|notify|api\/v1\/(?:notify|lsps5|response|webhooks\/[^/]+))\/([^/?]+)$/;
const SECRET_NAMES = /(?:SECRET|SECRETS|_KEYS?|CREDENTIALS_JSON|SMTP_URL)$/;

export interface SecretWatch {
  /** A path that was called, with its query. */
  called(path: string): void;
  /** What of it stands in one of the texts, as "what it is in where"; never the secret itself. */
  find(written: Readonly<Record<string, string>>, folder: string): readonly string[];
}

export function createSecretWatch(environment: Readonly<Record<string, string>>): SecretWatch {
  const secrets = new Map<string, string>();
  const add = (what: string, secret: string | null | undefined) => {
    if (!secret || secret.length < MIN_CHARACTERS || secrets.size === MAX_SECRETS) return;
    secrets.set(secret, what);
  };
  for (const [what, secret] of secretsOf(environment)) add(what, secret);
  return {
    called(path) {
      const url = new URL(path, 'http://test.invalid');
      add('a token', url.searchParams.get('token'));
      add('app_data', url.searchParams.get('app_data'));
      add('a handle', DOORS.exec(url.pathname)?.[1]);
    },
    find(written, folder) {
      const texts = Object.entries(written);
      const files = existsSync(folder) ? readDatabaseFiles(folder) : [];
      for (const { name, bytes } of files) {
        // The configured secret is kept there if none is configured.
        if (!name.endsWith('.secret')) texts.push([name, bytes.toString('latin1')]);
      }
      return texts.flatMap(([name, text]) =>
        [...secrets].flatMap(([secret, what]) =>
          text.includes(secret) ? [`${what} in ${name}`] : [],
        ),
      );
    },
  };
}

/** The secrets of a configuration, by the names of their variables. */
export function secretsOf(
  environment: Readonly<Record<string, string>>,
): readonly (readonly [string, string])[] {
  return Object.entries(environment).filter(
    ([name, value]) => SECRET_NAMES.test(name) && value.length >= MIN_CHARACTERS,
  );
}
