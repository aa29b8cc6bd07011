// How the connection to a PostgreSQL is encrypted and which servers it trusts: `sslmode` means what it means to `psql`.

import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../sandbox/identity.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { Database } from '../../src/stores/postgres/database.ts';
import { asNobody, makeServer, type Server } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'nds-tls-'));
let server: Server;

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  // PostgreSQL takes a key only if its own user or root owns it.
  if (asNobody.uid !== undefined) chownSync(file, asNobody.uid, asNobody.gid);
  return file;
}

beforeAll(async () => {
  if (asNobody.uid !== undefined) chownSync(folder, asNobody.uid, asNobody.gid);
  const [own, other] = await Promise.all([createIdentity(), createIdentity()]);
  write('ca.pem', own.ca);
  write('other-ca.pem', other.ca);
  const certificate = write('server.pem', own.certificate);
  const key = write('server.key', own.certificateKey);
  const files = [`ssl_cert_file=${certificate}`, `ssl_key_file=${key}`];
  server = await makeServer(18, ['fsync=off', 'ssl=on', ...files]);
});

afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true });
});

async function isEncrypted(query: string): Promise<unknown> {
  const url = `${server.url}?${query.replace('=./', `=${folder}/`)}`;
  const database = new Database({ url, clock: createSystemClock() });
  const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
  try {
    return (await database.run(sql)).rows[0];
  } finally {
    await database.close();
  }
}

test.each(['sslmode=disable', ''])('is plain with %j', async (query) => {
  expect(await isEncrypted(query)).toEqual({ ssl: 0 });
});

test.each([
  'sslmode=require',
  'sslmode=require&sslrootcert=./ca.pem',
  'sslmode=verify-ca&sslrootcert=./ca.pem',
  'sslmode=verify-full&sslrootcert=./ca.pem',
])('is encrypted with %j', async (query) => {
  expect(await isEncrypted(query)).toEqual({ ssl: 1 });
});

test.each([
  'sslmode=require&sslrootcert=./other-ca.pem',
  'sslmode=verify-ca&sslrootcert=./other-ca.pem',
  'sslmode=verify-full&sslrootcert=./other-ca.pem',
  // The server's certificate is signed by no authority that the machine trusts.
  'sslmode=verify-full',
])('is refused with %j', async (query) => {
  await expect(isEncrypted(query)).rejects.toThrow('certificate');
});
