// The tables of the documentation are those of the code. `npm run docs` writes them again.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { SETTINGS, type Setting } from '../../src/config/settings.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { CATALOGUE } from '../../src/core/notification.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const REWRITE = process.env.NDS_REWRITE_DOCS === '1';

test('docs/errors.md lists every code, status and remedy', () => {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, title, remedy }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${title} | ${remedy} |`,
  );
  const head = ['| code | status | what happened | what to do |', '|-|-|-|-|'];
  expectSection('docs/errors.md', 'errors', [...head, ...rows]);
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

test('every file that the documentation links to exists', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'docs/architecture.md',
    'docs/configuration.md',
    'docs/errors.md',
    'docs/operating.md',
    'docs/dependencies.md',
  ];
  const missing = documents.flatMap((document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(resolve(ROOT, document, '..', link)))
      .map((link) => `${document} -> ${link}`);
  });
  expect(missing).toEqual([]);
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
