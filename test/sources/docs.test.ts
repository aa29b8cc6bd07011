// The pages in docs/sources: their tables are those of the code, and their examples really sign.
// NDS_REWRITE_DOCS=1 writes the tables anew.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import type { Source } from '../../src/core/ports/source.ts';
import { createSources } from '../../src/sources/all-sources.ts';
import { genericConfig } from '../../src/sources/generic-config.ts';
import { LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';
import { call, codeOf, credentials, NOW_MS, nodeIdOf, requestOf } from './calls.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HANDLE = 'k3q9vZt2Jx7mWc5sLr8dPa';
const LSP_KEY = '42'.repeat(32);

/** What a signed caller can meet once its handle is known. */
const CODES: readonly ErrorCode[] = [
  'bad_body',
  'bad_signature',
  'stale_timestamp',
  'unknown_handle',
  'unknown_user',
  'token_unregistered',
  'push_too_large',
  'body_too_large',
  'token_rejected',
  'message_rejected',
  'rate_limited',
  'provider_not_configured',
  'provider_misconfigured',
  'expired',
  'overloaded',
  'shutting_down',
  'store_unavailable',
];
const TIMED = ['lsps5', 'standard', 'acme'];

const SECRETS: Readonly<Record<string, string>> = {
  standard: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  lsps5: LSP_KEY,
};

const acme = genericConfig.parse(JSON.parse(blocksOf('generic', 'json')[0] ?? '{}').generic[0]);
const sources = createSources({ lsps5: LSPS5_DEFAULTS, generic: [acme] });
const pages = [...sources].map(
  ([name, source]) => [name === 'acme' ? 'generic' : name, source] as const,
);

test.each(pages)('docs/sources/%s.md lists the statuses that its caller gets', (page, source) => {
  const begin =
    '<!-- statuses: written by NDS_REWRITE_DOCS=1 npm test -- test/sources/docs.test.ts -->';
  const end = '<!-- /statuses -->';
  const file = join(ROOT, 'docs/sources', `${page}.md`);
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  expect(to).toBeGreaterThan(from);
  const expected = `${text.slice(0, from)}\n\n${statusTable(source)}\n\n${text.slice(to)}`;
  if (process.env.NDS_REWRITE_DOCS === '1') writeFileSync(file, expected);
  expect(readFileSync(file, 'utf8')).toBe(expected);
});

const hasTools = ['bash', 'openssl', 'curl'].every(
  (tool) => spawnSync(tool, ['--version']).error === undefined,
);

/** Without the tools that a page names, nobody can run its example. */
test
  .skipIf(!hasTools)
  .each(
    pages.flatMap(([page, source]) =>
      blocksOf(page, 'bash').map((block, index) => [page, index + 1, block, source] as const),
    ),
  )('docs/sources/%s.md: example %i is believed', (page, _index, block, source) => {
  const { url, headers, body, publicKey } = run(block, SECRETS[page] ?? 'correct horse');
  const path = page === 'lsps5' ? 'lsps5' : `webhooks/${source.name}`;
  const last = source.name === 'spark_payment_received' ? 'pay.example.com' : HANDLE;
  expect(url).toBe(`http://localhost:8080/api/v1/${path}/${last}`);
  const time = headers['webhook-timestamp'] ?? headers['x-acme-time'];
  const lspTime = headers['x-lsps5-timestamp'];
  const receivedAtMs =
    time !== undefined ? Number(time) * 1_000 : lspTime ? Date.parse(lspTime) : NOW_MS;
  const known = credentials({
    secrets: [SECRETS[page] ?? 'correct horse', `whpk_${publicKey}`],
    nodeIds: [nodeIdOf(Buffer.from(LSP_KEY, 'hex'))],
  });
  const result = call(source, requestOf({ headers, body, receivedAtMs }), known);
  expect(codeOf(result), 'error' in result ? result.error.message : '').toBe('notification');
});

function statusTable(source: Source): string {
  const byStatus = new Map<number, string[]>([
    [200, ['delivered', 'queued', 'duplicate', 'ignored']],
  ]);
  const codes = CODES.filter((code) => isMet(source, code));
  for (const code of codes) {
    const status = source.statuses[code] ?? ERRORS[code].status;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const rows = [...byStatus]
    .toSorted(([a], [b]) => a - b)
    .map(([status, names]) => `| ${status} | ${names.map((name) => `\`${name}\``).join(', ')} |`);
  return ['| status | `status` of a success, or `code` of a problem |', '|-|-|', ...rows].join(
    '\n',
  );
}

function isMet(source: Source, code: ErrorCode): boolean {
  if (code === 'stale_timestamp') return TIMED.includes(source.name);
  if (code === 'bad_signature') return source.name !== 'epay';
  const isByUser = source.name === 'spark_payment_received';
  if (code === 'unknown_user') return isByUser;
  return code !== 'unknown_handle' || !isByUser;
}

function blocksOf(page: string, language: string): readonly string[] {
  const text = readFileSync(join(ROOT, 'docs/sources', `${page}.md`), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...text.matchAll(fence)].map((match) => match[1] ?? '');
}

/** Runs an example as a reader would, with a curl that says what it was told to send. */
function run(block: string, secret: string) {
  const script = `curl() { printf '%s\\0' "$@"; }\n${block}\nprintf '%s' "\${PUBLIC_KEY-}"`;
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const { stdout, stderr, status } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    env: { PATH: path, HANDLE, SECRET: secret },
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  const words = stdout.split('\0');
  const headers = words.flatMap((word, index) => {
    if (words[index - 1] !== '-H') return [];
    const colon = word.indexOf(':');
    return [[word.slice(0, colon).toLowerCase(), word.slice(colon + 1).trim()] as const];
  });
  return {
    url: words.find((word) => word.startsWith('http')),
    headers: Object.fromEntries<string>(headers),
    body: words[words.indexOf('--data-raw') + 1] ?? '',
    publicKey: words.at(-1) ?? '',
  };
}
