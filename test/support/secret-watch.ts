// Searches what every service in the tests wrote, its log and the files of its database, for secrets: the tokens and
// handles of the URLs that a test called, and the secrets of its configuration.

import { existsSync } from 'node:fs';
import { readDatabaseFiles } from './database-files.ts';

/** Shorter texts may be ordinary words of a test. */
const MIN_CHARACTERS = 12;
/** In a test with thousands of phones only the first secrets are searched for. */
const MAX_SECRETS = 200;
/** The part of the path after these is a handle. */
const DOORS = /^\/(?:n|notify|api\/v1\/(?:notify|lsps5|response|webhooks\/[^/]+))\/([^/?]+)$/;
const SECRET_NAMES = /(?:SECRET|SECRETS|_KEYS?|CREDENTIALS_JSON|SMTP_URL)$/;

export interface SecretWatch {
  /** Call it with each path that was called, with its query. */
  called(path: string): void;
  /** The secrets that are in one of the texts, as "what in where", without the secret itself. */
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
        // This file holds the secret on purpose, if none is configured.
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
