// GET /openapi.json, /docs and /docs/style.css: the description of the API. It is public, the same for every caller,
// and made once, at the first request for it.

import type { DescribedCalls } from '../../core/ports/source-description.ts';
import type { HttpContext } from '../context.ts';

export interface DescriptionParts {
  readonly readVersion: () => string;
  readonly describeCalls: () => DescribedCalls;
}

interface Made {
  readonly document: string;
  readonly page: string;
  readonly style: string;
}

const HEADERS = {
  'Cache-Control': 'public, max-age=300',
  // The page's empty icon, so that no browser asks for /favicon.ico, is data in its link.
  'Content-Security-Policy':
    "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
};
const TYPES: Readonly<Record<keyof Made, string>> = {
  document: 'application/json',
  page: 'text/html; charset=utf-8',
  style: 'text/css; charset=utf-8',
};

export type Description = (c: HttpContext, part: keyof Made) => Promise<Response>;

/** Loads the modules for the description only when it is requested: most services never need them. */
export function createDescription({ readVersion, describeCalls }: DescriptionParts): Description {
  let made: Promise<Made> | undefined;
  const make = async (): Promise<Made> => {
    const [{ createApiDocument }, { renderPage }, { STYLE }] = await Promise.all([
      import('./document.ts'),
      import('./page.ts'),
      import('./style.ts'),
    ]);
    const document = createApiDocument({ version: readVersion(), calls: describeCalls() });
    return { document: JSON.stringify(document), page: await renderPage(document), style: STYLE };
  };
  return async (c, part) => {
    made ??= make();
    const text = (await made)[part];
    return c.body(text, 200, { 'Content-Type': TYPES[part], ...HEADERS });
  };
}
