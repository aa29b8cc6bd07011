// Renders a page as plain text and as simple HTML; everything that we did not write ourselves is escaped.

import { html } from 'hono/html';
import type { MailContent, Section } from './words.ts';

const FOOT = 'Sent by nds to an e-mail endpoint: docs/events.md says how to change it.';

export function textOf({ sections }: MailContent, instance: string | undefined): string {
  const parts = sections.map((section) => {
    const lines = [section.title, ...(section.lines ?? []), ...alignedRows(section)];
    return lines.map(oneLine).join('\n');
  });
  return `${[...parts, `-- \n${footOf(instance)}`].join('\n\n')}\n`;
}

export function htmlOf({ subject, sections }: MailContent, instance: string | undefined): string {
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${subject}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"></head>
<body style="font:16px/1.5 sans-serif;max-width:42em;margin:1em">
${sections.map(htmlSection)}<p style="font-size:13px">${footOf(instance)}</p>
</body></html>
`;
  return String(page);
}

function htmlSection({ title, lines = [], rows = [] }: Section) {
  const cells = rows.map(
    ([what, why, count]) => html`<tr><td style="padding-right:1em">${what} ${why}</td>
<td style="text-align:right;vertical-align:top">${count}</td></tr>
`,
  );
  const table = rows.length === 0 ? '' : html`<table style="border-spacing:0">${cells}</table>`;
  return html`<h2 style="font-size:18px;margin:1em 0 0">${title}</h2>
${lines.map((line) => html`<p style="margin:0">${line}</p>`)}${table}
`;
}

function alignedRows({ rows = [] }: Section): readonly string[] {
  const widths = [0, 1, 2].map((at) => Math.max(0, ...rows.map((row) => (row[at] ?? '').length)));
  const [first = 0, second = 0, third = 0] = widths;
  return rows.map(
    ([what, why, count]) =>
      `  ${what.padEnd(first)}  ${why.padEnd(second)}  ${count.padStart(third)}`,
  );
}

function footOf(instance: string | undefined): string {
  return instance === undefined ? FOOT : `${instance}. ${FOOT}`;
}

/** A provider's reason is always reduced to one line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
