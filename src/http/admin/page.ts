// The page and what it loads, from our own address alone. The same for everybody: what somebody may see comes by calls
// that need a session, so that a link from elsewhere opens, though its first request brings no cookie.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

interface Files {
  readonly shell: string;
  readonly script: string;
  readonly style: string;
}

/** Read when the page is opened first. */
export class Page {
  #files: Files | undefined;

  shell(c: HttpContext): Response {
    // Addresses in the page are relative to its folder, whatever a proxy has before it.
    if (!new URL(c.req.url).pathname.endsWith('/')) return c.redirect('admin/');
    return c.body(this.#read().shell, 200, {
      ...HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
    });
  }

  script(c: HttpContext): Response {
    return file(c, this.#read().script, 'text/javascript; charset=utf-8');
  }

  style(c: HttpContext): Response {
    return file(c, this.#read().style, 'text/css; charset=utf-8');
  }

  #read(): Files {
    if (this.#files !== undefined) return this.#files;
    const script = readFileSync(join(FOLDER, 'page.js'), 'utf8');
    const style = readFileSync(join(FOLDER, 'page.css'), 'utf8');
    const version = createHash('sha256').update(script).update(style).digest('hex').slice(0, 12);
    this.#files = { shell: renderShell(version), script, style };
    return this.#files;
  }
}

function file(c: HttpContext, content: string, type: string): Response {
  return c.body(content, 200, { ...HEADERS, 'Content-Type': type, 'Cache-Control': FOR_EVER });
}
