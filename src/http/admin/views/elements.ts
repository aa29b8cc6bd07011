// What several views show alike: times, outcomes, and buttons that call a route.

import { html } from 'hono/html';
import type { Scope } from '../../../core/operating/scopes.ts';
import type { HttpContext } from '../../context.ts';

export type Html = ReturnType<typeof html>;

/** What the reader's key allows decides which buttons there are; the routes check for themselves. */
export type Scopes = ReadonlySet<Scope>;

export const NOTHING = html``;

/** UTC, as everywhere else. `18:12:22`, and the whole time in its tooltip. */
export function timeOf(atMs: number, form: 'second' | 'millisecond' | 'day' = 'second'): Html {
  const iso = new Date(atMs).toISOString();
  const shown = {
    second: iso.slice(11, 19),
    millisecond: iso.slice(11, 23),
    day: `${iso.slice(0, 10)} ${iso.slice(11, 16)}`,
  }[form];
  return html`<time datetime="${iso}" title="${iso}">${shown}</time>`;
}

/** A word in the colour of its meaning. */
export function badge(word: string, tone = toneOf(word)): Html {
  return html`<b class="badge ${tone}">${word}</b>`;
}

export type Tone = 'good' | 'wait' | 'bad' | 'dull';

const TONES: Readonly<Record<string, Tone>> = {
  ...{ delivered: 'good', ready: 'good', recovered: 'good', replied: 'good', started: 'good' },
  ...{ phone: 'good', 'log goes on': 'good' },
  ...{ enabled: 'good', running: 'good' },
  ...{ queued: 'wait', degraded: 'wait', held: 'wait', repeated: 'wait', retry: 'wait' },
  ...{ knock: 'wait', demoted: 'wait' },
  ...{ received: 'dull', answered: 'dull', duplicate: 'dull', ignored: 'dull' },
};

export function toneOf(word: string): Tone {
  if (/^try /.test(word)) return 'dull';
  return TONES[word] ?? 'bad';
}

/** A link to everything that is known of a value which may stand in a URL. */
export function findLink(value: string): string {
  return `#find?${new URLSearchParams({ q: value })}`;
}

export interface Action {
  readonly label: string;
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  /** Behind `/admin/api/v1/`. */
  readonly path: string;
  readonly body?: object | undefined;
  /** The question to confirm first. */
  readonly question?: string | undefined;
}

export function button({ label, method, path, body, question }: Action): Html {
  const content = body === undefined ? '' : JSON.stringify(body);
  return html`<button type="button" data-do="${method}" data-path="${path}" data-body="${content}" data-ask="${question ?? ''}">${label}</button>`;
}

export function copyButton(label: string, text: string): Html {
  return html`<button type="button" data-copy="${text}">${label}</button>`;
}

/** A piece of HTML that must not be cached. */
export async function piece(c: HttpContext, content: Html): Promise<Response> {
  return c.body(String(await content), 200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    // It is not a page: if opened directly, it loads and runs nothing.
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
  });
}
