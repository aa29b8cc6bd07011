// The files that run the service in production, read without Docker or Fly: every path exists, nothing contradicts the
// settings, and the image has every package that the service loads.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { SETTINGS } from '../../src/config/settings.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** The instructions of each stage, in order; comments and joined lines resolved. */
function stagesOf(dockerfile: string): readonly (readonly Instruction[])[] {
  const stages: Instruction[][] = [];
  for (const line of dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')) {
    const match = /^([A-Z]+)\s+(.+)$/.exec(line.trim());
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, value });
  }
  return stages;
}

const stages = stagesOf(read('Dockerfile'));
const image = stages.at(-1) ?? [];
const valuesOf = (name: string, stage = image) =>
  stage.filter((one) => one.name === name).map((one) => one.value);

/** Paths that a COPY from the working copy names. */
const copied = stages.flatMap((stage) =>
  valuesOf('COPY', stage)
    .filter((value) => !value.startsWith('--from='))
    .flatMap((value) => value.split(/\s+/).slice(0, -1)),
);

const duration = z.string().regex(/^\d+s$/);
const flyShape = z.strictObject({
  app: z.string(),
  primary_region: z.string(),
  kill_signal: z.string(),
  kill_timeout: duration,
  build: z.strictObject({ dockerfile: z.string() }),
  deploy: z.strictObject({ release_command: z.string() }),
  env: z.record(z.string(), z.string()),
  mounts: z.array(
    z.strictObject({
      source: z.string(),
      destination: z.string(),
      initial_size: z.string(),
      auto_extend_size_threshold: z.number().min(50).max(99),
      auto_extend_size_increment: z.string().regex(/^\d+GB$/),
      auto_extend_size_limit: z.string().regex(/^\d+GB$/),
      snapshot_retention: z.int().min(1).max(60),
    }),
  ),
  http_service: z.strictObject({
    internal_port: z.number(),
    force_https: z.boolean(),
    auto_stop_machines: z.string(),
    auto_start_machines: z.boolean(),
    min_machines_running: z.number(),
    concurrency: z.strictObject({
      type: z.enum(['requests', 'connections']),
      soft_limit: z.number(),
      hard_limit: z.number(),
    }),
    checks: z.array(
      z.strictObject({
        method: z.string(),
        path: z.string(),
        interval: duration,
        timeout: duration,
        grace_period: duration,
      }),
    ),
  }),
  metrics: z.strictObject({ port: z.number(), path: z.string() }),
  vm: z.array(z.strictObject({ size: z.string(), memory: z.string() })),
});
/** Strict: a key that Fly would silently ignore, such as a misspelt one, is a fault here. */
const fly = flyShape.parse(parse(read('fly.toml')));
const variables = new Map(SETTINGS.map((setting) => [setting.name, setting]));

test('the image is small, current and copies only files that exist and that Docker gets', () => {
  expect(stages.map((stage) => valuesOf('FROM', stage)[0]?.split(' ')[0])).toEqual(
    stages.map(() => 'node:24-slim'),
  );
  const shown = read('.dockerignore').split('\n').filter(Boolean);
  expect(shown[0]).toBe('*');
  for (const path of copied) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(shown, path).toContain(`!${path}`);
  }
  for (const path of shown.slice(1)) expect(existsSync(join(ROOT, path.slice(1))), path).toBe(true);
});

test('the volume may grow to the size that the docs give for 30 days of this machine', () => {
  const docs = read('docs/deploying.md');
  const [, pushesInMillions, gigabytes] =
    /^\| up to (\d+) million \|.*as in `fly\.toml` \| (\d+) GB \|$/m.exec(docs) ?? [];
  const takenBytes = Number(pushesInMillions) * 1_000_000 * 30 * 650 * 1.2;
  expect(Number(gigabytes) * 1e9).toBeGreaterThan(takenBytes);
  const [volume] = fly.mounts;
  expect(volume?.auto_extend_size_limit).toBe(`${gigabytes}GB`);
  expect(docs).toContain(`${volume?.auto_extend_size_threshold} % full, up to ${gigabytes} GB,`);
  expect(docs).toContain(`daily snapshots for ${volume?.snapshot_retention} days`);
});

test('the image runs the service itself, not as root, and writes only where it is allowed to', () => {
  expect(valuesOf('USER')).toEqual(['node']);
  const [command, ...others] = valuesOf('CMD').map((value) => JSON.parse(value));
  expect(others).toEqual([]);
  const { scripts } = z
    .object({ scripts: z.object({ start: z.string() }) })
    .parse(JSON.parse(read('package.json')));
  expect(`exec ${command.join(' ')}`).toBe(scripts.start);
  expect(command.slice(-2)).toEqual(['bin/nds.js', 'serve']);
  // Exec form: the service is process 1 and gets the signal itself.
  const names = image.map(({ name }) => name);
  expect(names.indexOf('USER')).toBeGreaterThan(names.lastIndexOf('COPY'));
  expect(valuesOf('RUN').join('\n')).toMatch(/chown node:node .*\/data/);
});

test('the variables of image and machine are those of the service, with values that it takes', () => {
  const inImage = Object.fromEntries(
    valuesOf('ENV').map((value) => {
      const equals = value.indexOf('=');
      return [value.slice(0, equals), value.slice(equals + 1)] as const;
    }),
  );
  const ofNode = Object.keys(inImage).filter((name) => name.startsWith('NODE_'));
  expect(Object.keys(inImage).filter((name) => !ofNode.includes(name))).toEqual(['NDS_DATABASE']);
  for (const [name, value] of [
    ...Object.entries(fly.env),
    ['NDS_DATABASE', inImage.NDS_DATABASE],
  ]) {
    const setting = variables.get(name ?? '');
    expect(setting?.schema.safeParse(value).success, name).toBe(true);
    expect(setting?.secret, name).toBeUndefined();
  }
  expect(inImage.NDS_DATABASE).toBe(fly.env.NDS_DATABASE);
});

test('a deploy asks the providers before the old machine stops, with the program of the image', () => {
  expect(fly.deploy.release_command).toBe('node bin/nds.js doctor --deploy');
  expect(valuesOf('CMD')[0]).toContain('"bin/nds.js"');
});

test('the database is on the one volume, which one machine has', () => {
  expect(fly.mounts).toHaveLength(1);
  expect(fly.mounts[0]?.destination).toBe('/data');
  expect(dirname(fly.env.NDS_DATABASE ?? '')).toBe('/data');
  expect(read('docs/deploying.md')).toContain(`fly volumes create ${fly.mounts[0]?.source} `);
  // A second machine would have a volume, and so a log, of its own.
  expect(read('docs/deploying.md')).toContain('fly deploy --ha=false');
});

test('the machine never sleeps and is asked on the port where the service listens', () => {
  const { http_service: service } = fly;
  expect(service).toMatchObject({
    force_https: true,
    auto_stop_machines: 'off',
    auto_start_machines: true,
    min_machines_running: 1,
  });
  // No address: IPv4 and IPv6 alike.
  expect(fly.env.NOTIFY_HTTP_ADDRESS).toBe(`:${service.internal_port}`);
  expect(valuesOf('EXPOSE')).toEqual([String(service.internal_port)]);
  // Calls that the proxy holds back need not be refused; a few of its connections are idle.
  const connections = Number(variables.get('NDS_MAX_CONNECTIONS')?.defaultText);
  expect(service.concurrency.hard_limit).toBeLessThan(0.95 * connections);
  expect(service.concurrency.soft_limit).toBeLessThanOrEqual(service.concurrency.hard_limit);
});

test('Fly reads the metrics where they are served, on a port that has no service', () => {
  const { port, path } = fly.metrics;
  // Fly's Prometheus uses IPv6.
  expect(fly.env.NDS_METRICS_ADDRESS).toBe(`[::]:${port}`);
  expect(port).not.toBe(fly.http_service.internal_port);
  expect(read('src/http/metrics.ts')).toContain(`'${path}'`);
});

test('Fly asks whether the process is alive, which strangers and providers cannot influence', () => {
  expect(fly.http_service.checks.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /healthz',
  ]);
  expect(read('src/http/app.ts')).toContain(`'${fly.http_service.checks[0]?.path}'`);
});

test('a stop has the time that it needs', () => {
  expect(fly.kill_signal).toBe('SIGTERM');
  expect(fly.kill_timeout).toBe('30s');
  const grace = variables.get('NDS_GRACE');
  // The longest grace period that can be configured, and the second that is added to it.
  expect(grace?.schema.safeParse('25s').success).toBe(true);
  expect(grace?.schema.safeParse('26s').success).toBe(false);
});

test('the image holds every package that the service loads', () => {
  const manifest = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')));
  const packages = packagesLoadedFrom([
    'src/cli/serve.ts',
    'src/cli/doctor.ts',
    'src/stores/sqlite/worker.ts',
  ]);
  // The migrations are not modules: a start reads them.
  expect(valuesOf('COPY')).toEqual(
    expect.arrayContaining(['bin ./bin', 'drizzle ./drizzle', 'src ./src']),
  );
  expect(packages.size).toBeGreaterThan(5);
  expect([...packages].filter((name) => !Object.hasOwn(manifest.dependencies, name))).toEqual([]);
});

/** Follows the imports of the service through the project's own files; imports of only types load nothing. */
function packagesLoadedFrom(entries: readonly string[]): ReadonlySet<string> {
  const packages = new Set<string>();
  const files = new Set(entries.map((entry) => join(ROOT, entry)));
  for (const file of files) {
    const source = readFileSync(file, 'utf8').replaceAll(/^(?:import|export) type [^;]*;/gm, '');
    const pattern = /(?:^|\s)from '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm;
    for (const [, from, dynamic, bare] of source.matchAll(pattern)) {
      const specifier = from ?? dynamic ?? bare ?? '';
      if (specifier.startsWith('.')) files.add(resolve(dirname(file), specifier));
      else if (!specifier.startsWith('node:')) {
        packages.add(
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      }
    }
  }
  return packages;
}

test('CI runs what the README tells a newcomer, and every check', () => {
  accessSync(join(ROOT, '.ci/run'), constants.X_OK);
  const lines = read('.ci/run').split('\n');
  expect(lines[0]).toBe('#!/usr/bin/env bash');
  expect(lines).toContain('set -euo pipefail');
  const commands = [
    'npm install',
    'npm run demo -- --once',
    'npm run test:api -- --seed 1',
    'npm run test:browser',
    'npm run test:foreign',
    'npm run test:postgres',
    'npm run test:pooler',
    'npm run check',
  ];
  expect(lines.filter((line) => line.startsWith('npm '))).toEqual(commands);
  for (const file of ['alerts.yml', 'alerts.test.yml']) {
    expect(
      lines.some((line) => line.endsWith(` rules deploy/prometheus/${file}`)),
      file,
    ).toBe(true);
  }
  const readme = read('README.md');
  expect(readme).toContain('npm install && npm run demo');
  expect(readme).toContain('npm install && npm test');
  const scripts = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json'))).scripts;
  expect(scripts.check).toContain('npm test');
  for (const [, name = ''] of (scripts.check ?? '').matchAll(/npm run ([\w:]+)/g)) {
    expect(Object.keys(scripts)).toContain(name);
  }
  for (const [, path = ''] of Object.values(scripts)
    .join(' ')
    .matchAll(/\bnode (?:--\S+ )*([\w./-]+)/g)) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
  }
});
