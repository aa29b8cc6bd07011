// The files that run several machines, read without Docker, HAProxy or Fly: nothing contradicts the settings, the
// image, or the files for one machine.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { SETTINGS } from '../../src/config/settings.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const variables = new Map(SETTINGS.map((setting) => [setting.name, setting]));
/** An invoice request may wait for its reply longer than NDS_DRAIN. */
const KILL_TIMEOUT = '75s';

function expectSettings(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    expect(variables.get(name)?.schema.safeParse(value).success, name).toBe(true);
  }
}

const FLY = z.looseObject({
  app: z.string(),
  kill_timeout: z.string(),
  build: z.strictObject({ dockerfile: z.string() }),
  deploy: z.looseObject({ release_command: z.string() }),
  env: z.record(z.string(), z.string()),
  mounts: z.unknown().optional(),
  http_service: z.looseObject({ min_machines_running: z.number(), checks: z.array(z.unknown()) }),
});

test('Fly replaces two machines one after the other, with everything else as for one', () => {
  const one = FLY.parse(parseToml(read('fly.toml')));
  const two = FLY.parse(parseToml(read('deploy/fly/fly.multi.toml')));
  expectSettings(two.env);
  const { NDS_DATABASE: _, ...shared } = one.env;
  const { checks, ...service } = two.http_service;
  expect(two).toEqual({
    ...one,
    // Another app, so that the one with the volume stays as it is.
    app: 'nds-multi',
    kill_timeout: KILL_TIMEOUT,
    build: { dockerfile: '../../Dockerfile' },
    deploy: { ...one.deploy, strategy: 'rolling', max_unavailable: 1 },
    // The address of the database is a secret, so it is not here.
    env: { ...shared, NDS_DRAIN: '10s', NDS_NODE_ADDRESS: '[::]:9092' },
    mounts: undefined,
    http_service: { ...one.http_service, min_machines_running: 2, checks },
  });
  expect(service.min_machines_running).toBe(2);
  expect(checks).toMatchObject([{ method: 'GET', path: '/healthz', interval: '5s' }]);
  expect(existsSync(join(ROOT, 'deploy/fly', two.build.dockerfile))).toBe(true);
});

const logging = z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) });
const nds = z.strictObject({
  build: z.literal('..'),
  image: z.string(),
  restart: z.literal('unless-stopped'),
  env_file: z.literal('../.env'),
  environment: z.record(z.string(), z.string()),
  depends_on: z.strictObject({ postgres: z.strictObject({ condition: z.string() }) }),
  stop_grace_period: z.literal(KILL_TIMEOUT),
  mem_limit: z.literal('512m'),
  read_only: z.literal(true),
  tmpfs: z.array(z.string()),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  logging,
});
const COMPOSE = z.strictObject({
  name: z.string(),
  'x-nds': z.unknown(),
  services: z.strictObject({
    'nds-1': nds,
    'nds-2': nds,
    'nds-3': nds,
    proxy: z.strictObject({
      image: z.string(),
      restart: z.literal('unless-stopped'),
      volumes: z.tuple([z.literal('./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro')]),
      ports: z.tuple([z.literal('127.0.0.1:8080:8080')]),
      depends_on: z.array(z.string()),
      logging,
    }),
    postgres: z.strictObject({
      image: z.string().regex(/^postgres:1[6-9]$/),
      restart: z.literal('unless-stopped'),
      environment: z.record(z.string(), z.string()),
      volumes: z.tuple([z.literal('postgres:/var/lib/postgresql')]),
      stop_grace_period: z.string(),
      healthcheck: z.looseObject({ test: z.array(z.string()) }),
      logging,
    }),
  }),
  volumes: z.strictObject({ postgres: z.null() }),
});
const compose = COMPOSE.parse(parseYaml(read('deploy/compose.multi.yml'), { merge: true }));
const MACHINES = ['nds-1', 'nds-2', 'nds-3'] as const;

test('Compose runs three equal machines over one PostgreSQL, whose password is only in .env', () => {
  const { services } = compose;
  for (const name of MACHINES) expect(services[name]).toEqual(services['nds-1']);
  const { NDS_DATABASE = '', ...others } = services['nds-1'].environment;
  expectSettings(others);
  // Without it a reply that comes to another machine is lost.
  expect(others.NDS_NODE_ADDRESS).toBe(':9092');
  const { POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD = '' } = services.postgres.environment;
  expect(POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?/);
  expect(NDS_DATABASE).toBe(
    `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`,
  );
  expectSettings({ NDS_DATABASE: NDS_DATABASE.replace(POSTGRES_PASSWORD, 'password') });
  const cache = /ENV NODE_COMPILE_CACHE=(\S+)/.exec(read('Dockerfile'))?.[1];
  expect(services['nds-1'].tmpfs).toContain(cache);
  expect(services.proxy.depends_on).toEqual(MACHINES);
});

test('the proxy knows every machine, stops sending within NDS_DRAIN, and always has a machine to send to', () => {
  const text = read('deploy/haproxy.cfg');
  const backends = text.split(/^backend /m).slice(1);
  const port = compose.services['nds-1'].environment.NOTIFY_HTTP_ADDRESS;
  for (const backend of backends) {
    const servers = [...backend.matchAll(/^ {2}server (\S+) (\S+)$/gm)];
    expect(servers.map(([, name, address]) => [name, address])).toEqual(
      MACHINES.map((name) => [name, `${name}${port}`]),
    );
  }
  expect(backends.map((backend) => /httpchk GET (\S+)/.exec(backend)?.[1])).toEqual([
    '/readyz',
    '/healthz',
  ]);
  expect(text).toContain('use_backend alive if { nbsrv(ready) eq 0 }');
  const [, seconds, falls] = /inter (\d+)s fall (\d+)/.exec(text) ?? [];
  const drain = /^(\d+)s$/.exec(compose.services['nds-1'].environment.NDS_DRAIN ?? '')?.[1];
  expect((Number(falls) + 1) * Number(seconds)).toBeLessThan(Number(drain));
});
