// How numbers and tables look on the screen and in the documentation.

import type { Table } from './measures/measure.ts';

/** Three significant digits; whole numbers above 100. */
export function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function ratio(value: number | undefined): string {
  return value === undefined ? '–' : `${value.toFixed(2)}×`;
}

/** A share such as 0.15 as `15 %`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function megabytes(bytes: number): string {
  return number(bytes / 1e6);
}

/** A Markdown table with aligned columns. */
export function formatTable({ title, columns, rows, note }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => pad(cell, widths[index] ?? 0, index)).join(' | ')} |`;
  const rule = `|${widths.map((width, index) => rulePart(width, index)).join('|')}|`;
  const text = [`### ${title}`, '', line(columns), rule, ...rows.map(line)];
  return `${[...text, ...(note === undefined ? [] : ['', note])].join('\n')}\n`;
}

/** The first column is a name, the others are numbers. */
function pad(cell: string, width: number, index: number): string {
  return index === 0 ? cell.padEnd(width) : cell.padStart(width);
}

function rulePart(width: number, index: number): string {
  return index === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`;
}
