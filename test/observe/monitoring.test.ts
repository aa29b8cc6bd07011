// Alerts, dashboard and documentation name only what the service provides.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ERRORS } from '../../src/core/errors.ts';
import { CATALOGUE, isRace } from '../../src/core/notification.ts';
import { METRICS_ENVIRONMENT, readPage, type Sample, samplesIn } from '../support/metrics.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from '../support/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const alerts = read('deploy/prometheus/alerts.yml');

const panelSchema = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});
const { panels } = z
  .object({ panels: z.array(panelSchema) })
  .parse(JSON.parse(read('deploy/grafana/nds.json')));

let page = '';
let samples: readonly Sample[] = [];
beforeAll(async () => {
  const environment = { ...METRICS_ENVIRONMENT, NDS_APPS: '{"default":{"receipts":true}}' };
  const running = await setup({ environment, onEnd: (end) => afterAll(end) });
  await running.notify(IOS_TOKEN, 'aa');
  const { r } = z.object({ r: z.string() }).parse(JSON.parse(pushedKey(running)));
  await running.post(new URL(r).pathname, '{"stage":"started"}');
  await running.notify(ANDROID_TOKEN, 'bb');
  await running.service.settled();
  page = await readPage(running);
  samples = samplesIn(page);
});

/** The receipt's address in the push that the phone got. */
function pushedKey({ sandbox }: Setup): string {
  return sandbox.received().at(-1)?.data.nds ?? 'null';
}

/** The series that an expression reads, each with the labels by which it selects. */
function selectorsIn(expression: string) {
  const pattern = /\b((?:nds|http_server|process)[a-z0-9_:]*)(?:\{([^}]*)\})?/g;
  return [...expression.matchAll(pattern)].map(([, name = '', labels = '']) => ({
    name,
    labels: [...labels.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label),
  }));
}

/**
 * Series and labels in an expression that the service does not have; Prometheus adds `instance` and `job` to each
 * series.
 */
function missingIn(expression: string): readonly string[] {
  const rules = [...alerts.matchAll(/- record: (\S+)/g)].map(([, name]) => name);
  return selectorsIn(expression).flatMap(({ name, labels }) => {
    if (rules.includes(name)) return [];
    const found = samples.filter((sample) => sample.name === name);
    const known = ['instance', 'job', ...found.flatMap((sample) => Object.keys(sample.labels))];
    const unknown = labels.filter((label) => !known.includes(label ?? ''));
    return found.length === 0 ? [name] : unknown.map((label) => `${name}{${label}}`);
  });
}

/** The text of every rule, both alerts and records. */
const rules = alerts
  .split(/^ +- (?=alert:|record:)/m)
  .slice(1)
  .map((text) => ({
    name: /^(?:alert|record): (\S+)/.exec(text)?.[1] ?? '',
    expression: /expr: \|\n((?: {10}.*\n)+)/.exec(text)?.[1] ?? '',
    runbook: /runbook: (\S+)/.exec(text)?.[1],
    isAlert: text.startsWith('alert:'),
  }));

test('every expression of the alerts names series and labels that exist', () => {
  expect(rules.length).toBe(16);
  for (const { name, expression } of rules) {
    expect(selectorsIn(expression), name).not.toEqual([]);
    expect(missingIn(expression), name).toEqual([]);
  }
});

test('every alert names its section of troubleshooting.md, and every section an alert', () => {
  const text = read('docs/troubleshooting.md');
  const part = text.slice(text.indexOf('\n## Alerts\n'));
  const sections = part.split(/^### /m).slice(1);
  const anchors = sections.map((section) => {
    const [title = ''] = section.split('\n');
    return `docs/troubleshooting.md#${title.toLowerCase().replaceAll(' ', '-')}`;
  });
  const all = rules.filter(({ isAlert }) => isAlert);
  expect(new Set(all.map(({ runbook }) => runbook))).toEqual(new Set(anchors));
  for (const { name, runbook } of all) {
    const section = sections[anchors.indexOf(runbook ?? '')];
    expect(section, `the section of ${name}`).toContain(`\`${name}\``);
  }
});

test('alerts and dashboard know which types are races, and which codes there are', () => {
  const races = Object.entries(CATALOGUE)
    .filter(([, { lifetimeMs }]) => isRace(lifetimeMs))
    .map(([type]) => type)
    .toSorted();
  const expressions = [
    ...rules.map(({ expression }) => expression),
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
  const listsOf = (label: string) =>
    expressions
      .flatMap((text) => [...text.matchAll(new RegExp(`\\b${label}=~"([^"]*)"`, 'g'))])
      .map(([, list = '']) => list.split('|').toSorted());
  const ofTypes = listsOf('type');
  expect(ofTypes.length).toBeGreaterThan(5);
  for (const list of ofTypes) expect(list).toEqual(races);
  const codes = listsOf('code').flat();
  expect(codes).toContain('overloaded');
  expect(codes.filter((code) => !Object.hasOwn(ERRORS, code))).toEqual([]);
});

test('every expression of the dashboard names series and labels that exist', () => {
  const charts = panels.filter(({ type }) => type !== 'row');
  for (const { title, targets } of charts) {
    expect(targets, title).not.toEqual([]);
    for (const { expr } of targets) {
      expect(selectorsIn(expr), title).not.toEqual([]);
      expect(missingIn(expr), title).toEqual([]);
    }
  }
});

test('the dashboard shows every metric, in five rows, no panel over another', () => {
  const rowTitles = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  expect(rowTitles).toEqual(['Races', 'Providers', 'Refusals', 'Store', 'Process']);
  const shown = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => selectorsIn(expr).map(({ name }) => baseOf(name))),
  );
  expect(metricsIn(page).map(({ name }) => name)).toEqual(
    expect.arrayContaining(shown.filter((name) => !name.includes(':'))),
  );
  const unseen = metricsIn(page).filter(({ name }) => !shown.includes(name));
  expect(unseen).toEqual([]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

test('docs/operating.md lists every metric with its labels', () => {
  const rows = metricsIn(page).map(({ name, type, help }) => {
    const labels = new Set(
      samples
        .filter((sample) => baseOf(sample.name) === name)
        .flatMap((sample) => Object.keys(sample.labels))
        .filter((label) => label !== 'le'),
    );
    const shown = [...labels].map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  const table = ['| metric | type | labels | what it says |', '|-|-|-|-|', ...rows].join('\n');
  const file = 'docs/operating.md';
  const [before = '', , after = ''] = read(file).split(
    /(?<=<!-- metrics: written by npm run docs -->)([\s\S]*)(?=<!-- \/metrics -->)/,
  );
  const expected = `${before}\n\n${table}\n\n${after}`;
  if (process.env.NDS_REWRITE_DOCS === '1') writeFileSync(join(ROOT, file), expected);
  expect(read(file)).toBe(expected);
});

/** A histogram's series have the name of the histogram before their ending. */
function baseOf(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '');
}

function metricsIn(text: string) {
  return [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name = '', help = '', type = '']) => ({ name, help, type }),
  );
}
