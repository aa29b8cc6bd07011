// The files that run the service with Compose or systemd, read without either: every variable is one of the service,
// and nothing contradicts the image, Fly or the settings.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { SETTINGS } from '../../src/config/settings.ts';
import { PLACES } from '../../src/service/sockets/shared-sockets.ts';
import { hasTools } from '../support/shell-examples.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const variables = new Map(SETTINGS.map((setting) => [setting.name, setting]));
const { scripts } = z
  .object({ scripts: z.object({ start: z.string() }) })
  .parse(JSON.parse(read('package.json')));
/** Without npm's `exec`. */
const command = scripts.start.replace('exec ', '');

function expectSettings(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    const setting = variables.get(name);
    expect(setting?.schema.safeParse(value).success, name).toBe(true);
    expect(setting?.secret, name).toBeUndefined();
  }
}

/** Strict, because Compose would ignore a misspelt key silently. */
const compose = z.strictObject({
  name: z.string(),
  services: z.strictObject({
    nds: z.strictObject({
      build: z.literal('..'),
      image: z.string(),
      restart: z.literal('unless-stopped'),
      env_file: z.literal('../.env'),
      environment: z.record(z.string(), z.string()),
      ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)),
      volumes: z.array(z.string()),
      stop_grace_period: z.string(),
      mem_limit: z.literal('512m'),
      read_only: z.literal(true),
      tmpfs: z.array(z.string()),
      cap_drop: z.tuple([z.literal('ALL')]),
      security_opt: z.tuple([z.literal('no-new-privileges:true')]),
      logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }),
      healthcheck: z.strictObject({
        test: z.array(z.string()),
        interval: z.string(),
        timeout: z.string(),
        start_period: z.string(),
      }),
    }),
  }),
  volumes: z.strictObject({ data: z.null() }),
});

test('Compose runs the image with a volume for the log, and nothing else that can be written', () => {
  const { nds } = compose.parse(parse(read('deploy/docker-compose.yml'))).services;
  expectSettings(nds.environment);
  const image = read('Dockerfile');
  expect(image).toContain(`ENV NDS_DATABASE=${nds.environment.NDS_DATABASE}\n`);
  expect(nds.volumes).toEqual(['data:/data']);
  // The compile cache of the image need not be kept, but needs a place.
  expect(nds.tmpfs).toContain(/ENV NODE_COMPILE_CACHE=(\S+)/.exec(image)?.[1]);
  expect(nds.ports).toEqual(['127.0.0.1:8080:8080']);
  expect(nds.environment.NOTIFY_HTTP_ADDRESS).toBe(':8080');
  expect(nds.stop_grace_period).toBe(/kill_timeout = "(\w+)"/.exec(read('fly.toml'))?.[1]);
  expect(nds.healthcheck.test.join(' ')).toContain('http://127.0.0.1:8080/healthz');
});

/** Maps section and key to values, in order. */
function unitOf(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n')) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (name !== undefined) section = name;
    const [, key, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key === undefined) continue;
    found.set(`${section}.${key}`, [...(found.get(`${section}.${key}`) ?? []), value]);
  }
  return found;
}

const UNIT = 'deploy/nds.service';

test('systemd runs the same command, stops it in time and lets it write its own folder', () => {
  const unit = unitOf(read(UNIT));
  const one = (name: string) => unit.get(`Service.${name}`)?.[0];
  expect(one('ExecStart')).toBe(`/usr/bin/${command}`);
  const environment = Object.fromEntries(
    (unit.get('Service.Environment') ?? []).map((text) => text.split('=')),
  );
  const { NODE_ENV, NODE_COMPILE_CACHE, ...ours } = environment;
  expectSettings(ours);
  expect(NODE_ENV).toBe('production');
  expect(ours.NDS_DATABASE).toBe(`/var/lib/${one('StateDirectory')}/nds.sqlite`);
  expect(NODE_COMPILE_CACHE).toBe(`/var/cache/${one('CacheDirectory')}`);
  // Commands run outside of the unit, and the unit has a /tmp of its own.
  expect(`/run/${one('RuntimeDirectory')}`).toBe(PLACES.runtime);
  for (const folder of ['State', 'Runtime']) expect(one(`${folder}DirectoryMode`)).toBe('0700');
  expect(one('UMask')).toBe('0077');
  expect(one('Restart')).toBe('on-failure');
  expect(one('ExecReload')).toBe('/bin/kill -HUP $MAINPID');
  expect(one('KillSignal')).toBe('SIGTERM');
  expect(`${one('TimeoutStopSec')}s`).toBe(/kill_timeout = "(\w+)"/.exec(read('fly.toml'))?.[1]);
  expect(Number(one('LimitNOFILE'))).toBeGreaterThan(20_000);
  // With this V8 could not compile.
  expect(one('MemoryDenyWriteExecute')).toBeUndefined();
});

test.skipIf(!hasTools('systemd-analyze'))('systemd finds no fault in the unit', () => {
  const verify = spawnSync('systemd-analyze', ['verify', join(ROOT, UNIT)], { encoding: 'utf8' });
  // Node is at another path on some machines.
  const faults = verify.stderr.split('\n').filter((line) => !/^$|is not executable/.test(line));
  expect(faults).toEqual([]);
});

test.skipIf(!hasTools('systemd-analyze'))('and rates what it may do as little', () => {
  const arguments_ = ['security', '--offline=true', '--no-pager', '--threshold=20', UNIT];
  const rated = spawnSync('systemd-analyze', arguments_, { cwd: ROOT, encoding: 'utf8' });
  expect([rated.status, rated.stderr], rated.stdout.slice(-200)).toEqual([0, '']);
});
