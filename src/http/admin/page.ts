// The page and its files, only from our own address. The page is the same for everybody: its data comes from calls that
// need a session. So a link from another site opens it, although that first request has no cookie.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.ts';
import type { HttpContext } from '../context.ts';
import { renderShell } from './views/shell.ts';

const FOLDER = join(import.meta.dirname, 'browser');
const POLICY =
  "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
};
/** Their addresses change with their content. */
const FOR_EVER = 'public, max-age=31536000, immutable';

const TYPES = {
  'page.js': 'text/javascript; charset=utf-8',
  'now.js': 'text/javascript; charset=utf-8',
  'calls.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

interface Content {
  readonly shell: string;
  readonly files: ReadonlyMap<string, { readonly type: string; readonly text: string }>;
}

/** Read when the page is first opened. */
export class AdminPage {
  #content: Content | undefined;

  shell(c: HttpContext): Response {
    // Addresses in the page are relative to its folder, whatever path a proxy puts before it.
    if (!new URL(c.req.url).pathname.endsWith('/')) return c.redirect('admin/');
    return c.body(this.#read().shell, 200, {
      ...HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
    });
  }

  file(c: HttpContext): Response {
    const file = this.#read().files.get(c.req.param('name') ?? '');
    if (file === undefined) throw new ServiceError('not_found');
    const { type, text } = file;
    return c.body(text, 200, { ...HEADERS, 'Content-Type': type, 'Cache-Control': FOR_EVER });
  }

  #read(): Content {
    this.#content ??= readContent();
    return this.#content;
  }
}

function readContent(): Content {
  const version = createHash('sha256');
  const files = new Map(
    Object.entries(TYPES).map(([name, type]) => {
      const text = readFileSync(join(FOLDER, name), 'utf8');
      version.update(text);
      return [name, { type, text }];
    }),
  );
  return { shell: renderShell(version.digest('hex').slice(0, 12)), files };
}
