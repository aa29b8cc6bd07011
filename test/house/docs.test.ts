// The tables of the documentation agree with the code. `npm run docs` writes them again.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { SETTINGS, type Setting } from '../../src/config/settings.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { EVENTS } from '../../src/core/events/catalogue.ts';
import { MAIL_FAILURES } from '../../src/core/events/mail-failures.ts';
import { SEND_FAILURES } from '../../src/core/events/send-failures.ts';
import { CATALOGUE } from '../../src/core/notification.ts';
import { FIELDS, type Line } from '../../src/observe/log-fields.ts';
import { namesIn, OBSERVED } from '../../src/observe/log-lines.ts';
import { SPOKEN } from '../../src/observe/log-spoken.ts';
import { FINDINGS, type Kind } from '../../src/service/findings.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const REWRITE = process.env.NDS_REWRITE_DOCS === '1';
const PAGES = ['README.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];

test('docs/errors.md lists every code, status and remedy', () => {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, title, remedy }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${title} | ${remedy} |`,
  );
  const head = ['| code | status | what happened | what to do |', '|-|-|-|-|'];
  expectSection('docs/errors.md', 'errors', [...head, ...rows]);
});

test('docs/troubleshooting.md lists every finding of `nds doctor`', () => {
  const rows = Object.entries<Kind>(FINDINGS).flatMap(
    ([code, { level, endsDeploy, title, remedy }]) =>
      level === 'ok'
        ? []
        : [
            `| <a id="${code}"></a>\`${code}\` | ${level}${endsDeploy ? ', ends a deploy' : ''} | ${title} | ${remedy ?? ''} |`,
          ],
  );
  const head = ['| code | level | what it means | what to do |', '|-|-|-|-|'];
  expectSection('docs/troubleshooting.md', 'findings', [...head, ...rows]);
});

test('docs/configuration.md lists every variable, its default and its purpose', () => {
  const lines: string[] = [];
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) {
      lines.push(
        '',
        `### ${setting.group}`,
        '',
        '| variable | default | what it does |',
        '|-|-|-|',
      );
      group = setting.group;
    }
    lines.push(`| \`${setting.name}\` | ${defaultOf(setting)} | ${cell(setting.help)} |`);
  }
  expectSection('docs/configuration.md', 'settings', lines.slice(1));
});

test('docs/configuration.md lists the title and lifetime of every type', () => {
  const rows = Object.entries(CATALOGUE).map(
    ([type, { title, lifetimeMs }]) => `| \`${type}\` | ${title} | ${span(lifetimeMs)} |`,
  );
  const head = ['| type | title | lifetime |', '|-|-|-|'];
  expectSection('docs/configuration.md', 'types', [...head, ...rows]);
});

test('docs/events.md lists every event that an endpoint can get', () => {
  const rows = Object.entries(EVENTS).map(
    ([type, { named, when }]) => `| \`${type}\` | ${when}${named ? '; must be named' : ''} |`,
  );
  expectSection('docs/events.md', 'events', ['| type | when |', '|-|-|', ...rows]);
});

test('docs/events.md lists why a call has no answer, and what to do', () => {
  const rows = Object.entries(SEND_FAILURES).map(([reason, next]) => `| \`${reason}\` | ${next} |`);
  expectSection('docs/events.md', 'send-failures', ['| reason | what to do |', '|-|-|', ...rows]);
});

test('docs/events.md lists why a mail is not taken, and what to do', () => {
  const rows = Object.entries(MAIL_FAILURES).map(([reason, next]) => `| \`${reason}\` | ${next} |`);
  expectSection('docs/events.md', 'mail-failures', [
    ...['| reason | what to do |', '|-|-|'],
    ...rows,
  ]);
});

test('docs/logging.md lists every event of the log with its fields, and what each field means', () => {
  const lines = new Map<string, { readonly line: Line; readonly fields: Set<string> }>();
  const add = (event: string, line: Line, fields: readonly string[]) => {
    const known = lines.get(event)?.fields ?? [];
    lines.set(event, { line, fields: new Set([...known, ...fields]) });
  };
  for (const [event, line] of Object.entries(OBSERVED)) add(event, line, namesIn(line.fields));
  for (const [event, line] of Object.entries(SPOKEN)) add(event, line, line.fields);
  const rows = [...lines].toSorted().map(([event, { line, fields }]) => {
    const { level, errorIf, when } = line;
    const shown = [...fields].map((field) => `\`${field}\``).join(', ');
    return `| \`${event}\` | ${level}${errorIf ? `; error if ${errorIf}` : ''} | ${when} | ${shown} |`;
  });
  const head = ['| event | level | written when | fields |', '|-|-|-|-|'];
  expectSection('docs/logging.md', 'log-lines', [...head, ...rows]);
  const meanings = Object.entries(FIELDS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  expectSection('docs/logging.md', 'log-fields', ['| field | meaning |', '|-|-|', ...meanings]);
  const used = new Set([...lines.values()].flatMap(({ fields }) => [...fields]));
  expect(Object.keys(FIELDS).filter((name) => !used.has(name))).toEqual([]);
  expect(Object.keys(FIELDS).filter((name) => !/^[a-z]+(?:_[a-z]+)*$/.test(name))).toEqual([]);
});

test('.env.example shows every variable', () => {
  const lines = [
    '# Copy to .env and uncomment what you need. docs/configuration.md says the same as a table.',
  ];
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) lines.push('', `# --- ${setting.group} ---`);
    group = setting.group;
    lines.push(
      '',
      `# ${setting.help}`,
      `#${setting.name}=${setting.example ?? setting.defaultText ?? ''}`,
    );
  }
  expectFile('.env.example', `${lines.join('\n')}\n`);
});

test('everything that the documentation links to exists, sections too', () => {
  const missing = PAGES.flatMap((page) =>
    linksOf(page)
      .filter(({ path, anchor }) => !existsSync(path) || !hasAnchor(path, anchor))
      .map(({ link }) => `${page} -> ${link}`),
  );
  expect(missing).toEqual([]);
});

test('every source file that a page names exists', () => {
  const folders = [
    '.',
    'src',
    'src/core',
    'src/providers/http2',
    'src/stores/sqlite',
    'sandbox/callers',
    'test/providers',
  ];
  const missing = PAGES.filter((page) => !isSuperseded(page)).flatMap((page) =>
    [...read(page).matchAll(/`([\w./-]+\.[jt]s)`/g)]
      .map((match) => match[1] ?? '')
      .filter((file) => folders.every((folder) => !existsSync(join(ROOT, folder, file))))
      .map((file) => `${page}: ${file}`),
  );
  expect(missing).toEqual([]);
});

test('what docs/troubleshooting.md quotes of /readyz and the output is what the code prints', () => {
  const [, quoted = ''] = read('docs/troubleshooting.md').split('## Readyz is red');
  const rows = quoted.split('\n## Delivered')[0] ?? '';
  const phrases = [...rows.matchAll(/^\| (.*?) \|/gm)]
    .flatMap((row) => [...(row[1] ?? '').matchAll(/`([^`]+)`/g)])
    .flatMap((match) => (match[1] ?? '').split('…'))
    .filter((phrase) => !phrase.includes('"'));
  const code = filesBelow('src', '.ts').map(read).join('\n');
  expect(phrases.length).toBeGreaterThan(20);
  expect(phrases.filter((phrase) => !code.includes(phrase.trim()))).toEqual([]);
});

test('every variable that a page names is a setting', () => {
  const known = new Set(SETTINGS.map(({ name }) => name));
  // Names of breez/notify and of `npm run docs`.
  const others = ['NOTIFY_WORKERS_NUM', 'NDS_REWRITE_DOCS'];
  const unknown = PAGES.filter((page) => !page.startsWith('docs/decisions/')).flatMap((page) =>
    [...read(page).matchAll(/\b(?:NDS|APNS|FCM|NOTIFY)_[A-Z0-9_]*[A-Z0-9]\b/g)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !others.includes(name))
      .map((name) => `${page}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test('no variable has a comment after its value, which systemd and Docker would take as part of it', () => {
  const commented = PAGES.flatMap((page) =>
    [...read(page).matchAll(/^[A-Z_]+=.*[ \t]#.*$/gm)].map(([line]) => `${page}: ${line}`),
  );
  expect(commented).toEqual([]);
});

test('the README stays under 200 lines', () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n').length).toBeLessThan(200);
});

test('every package that is installed is explained in docs/dependencies.md, with its version', () => {
  const manifest: Record<string, Record<string, string>> = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  const text = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8');
  const all = { ...manifest.dependencies, ...manifest.devDependencies };
  const unexplained = Object.keys(all).filter((name) => !text.includes(`| ${name} |`));
  expect(unexplained).toEqual([]);
  expect(Object.values(all).filter((version) => !/^\d/.test(version))).toEqual([]);
});

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function filesBelow(folder: string, ending: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file));
}

/** Decisions that were superseded name files of their time. */
function isSuperseded(page: string): boolean {
  return page.startsWith('docs/decisions/') && read(page).includes('\nSuperseded by ');
}

interface Link {
  readonly link: string;
  readonly path: string;
  readonly anchor: string | undefined;
}

function linksOf(page: string): readonly Link[] {
  return [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => {
    const link = match[1] ?? '';
    const [file = '', anchor] = link.split('#');
    return { link, anchor, path: file === '' ? join(ROOT, page) : resolve(ROOT, page, '..', file) };
  });
}

/** Anchors as GitHub makes them: headings in lower case, without punctuation, spaces as hyphens. */
function hasAnchor(path: string, anchor: string | undefined): boolean {
  if (anchor === undefined) return true;
  if (statSync(path).isDirectory()) return false;
  const text = readFileSync(path, 'utf8');
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  return headings.includes(anchor) || text.includes(`<a id="${anchor}">`);
}

function expectSection(file: string, name: string, lines: readonly string[]): void {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const begin = `<!-- ${name}: written by npm run docs -->`;
  const end = `<!-- /${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  expect(from, `${file} has no section ${name}`).toBeGreaterThanOrEqual(0);
  expect(to).toBeGreaterThan(from);
  const body = `\n\n${lines.join('\n')}\n\n`;
  expectFile(file, text.slice(0, from + begin.length) + body + text.slice(to));
}

function expectFile(file: string, expected: string): void {
  if (REWRITE) writeFileSync(join(ROOT, file), expected);
  expect(readFileSync(join(ROOT, file), 'utf8')).toBe(expected);
}

function defaultOf(setting: Setting): string {
  return setting.defaultText ? `\`${cell(setting.defaultText)}\`` : '';
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function span(ms: number): string {
  const hours = ms / 3_600_000;
  return hours >= 1 ? `${hours} h` : `${ms / 1_000} s`;
}
