// The last hours as drawings: bars per outcome, and how fast pushes arrived. Each column has its numbers in a tooltip,
// and a sentence sums it up for screen readers.

import { html } from 'hono/html';
import type { History, Hour } from '../../../core/finding/history.ts';
import { durationOf } from '../../../core/finding/words.ts';
import { type Html, NOTHING } from './elements.ts';

const WIDTH = 20;
const GAP = 3;
const HEIGHT = 100;

const OUTCOMES = [
  { name: 'delivered', tone: 'good' },
  { name: 'queued', tone: 'wait' },
  { name: 'failed', tone: 'bad' },
  { name: 'refused', tone: 'dull' },
] as const;

export function renderCharts({ hours, isComplete }: History): Html {
  const [first] = hours;
  if (first === undefined) return NOTHING;
  return html`<section class="charts">
<figure><figcaption>Pushes an hour, up to ${Math.max(...hours.map(totalOf))}: ${OUTCOMES.map(({ name, tone }) => html`<span><i class="${tone}">■</i> ${name}</span> `)}${isComplete ? '' : '(the newest million)'}</figcaption>${renderBars(hours)}${renderAxis(hours)}</figure>
<figure><figcaption>Receipt to acceptance, up to ${durationOf(slowestOf(hours))}: <i class="p50">━</i> p50 <i class="p99">━</i> p99</figcaption>${renderLines(hours)}${renderAxis(hours)}</figure>
</section>`;
}

/** A minimum, so that the scale has some height. */
function slowestOf(hours: readonly Hour[]): number {
  return Math.max(10, ...hours.map(({ p99Ms = 0 }) => p99Ms));
}

function totalOf(hour: Hour): number {
  return hour.delivered + hour.queued + hour.failed + hour.refused;
}

function viewBox(hours: readonly Hour[]): string {
  return `0 0 ${hours.length * WIDTH} ${HEIGHT}`;
}

function renderBars(hours: readonly Hour[]): Html {
  const most = Math.max(1, ...hours.map(totalOf));
  const sums = OUTCOMES.map(({ name }) => {
    return `${hours.reduce((sum, hour) => sum + hour[name], 0)} ${name}`;
  });
  return html`<div class="plot"><svg viewBox="${viewBox(hours)}" preserveAspectRatio="none" role="img" aria-label="In 24 hours: ${sums.join(', ')}">${hours.map((hour, index) => renderBar(hour, index * WIDTH, most))}</svg></div>`;
}

function renderBar(hour: Hour, x: number, most: number): Html {
  let top = HEIGHT;
  const parts = OUTCOMES.filter(({ name }) => hour[name] > 0).map(({ name, tone }) => {
    // Even the smallest part stays visible.
    const height = Math.max(2, (hour[name] / most) * HEIGHT);
    top -= height;
    return html`<rect class="${tone}" x="${x}" y="${top.toFixed(1)}" width="${WIDTH - GAP}" height="${height.toFixed(1)}" />`;
  });
  const counts = OUTCOMES.map(({ name }) => `${hour[name]} ${name}`).join(', ');
  return html`<g><title>${hourOf(hour)} UTC: ${counts}</title><rect class="column" x="${x}" y="0" width="${WIDTH}" height="${HEIGHT}" />${parts}</g>`;
}

/** On a logarithmic scale from 1 ms, so that both a median and an outage are visible. */
function renderLines(hours: readonly Hour[]): Html {
  const slowest = slowestOf(hours);
  const heightOf = (ms: number) =>
    HEIGHT - (Math.log10(Math.max(1, ms)) / Math.log10(slowest)) * (HEIGHT - 4) - 2;
  const latest = hours.findLast(({ p50Ms }) => p50Ms !== undefined);
  const summary =
    latest === undefined
      ? 'Nothing was delivered in 24 hours'
      : `In the last hour with deliveries: p50 ${durationOf(latest.p50Ms ?? 0)}, p99 ${durationOf(latest.p99Ms ?? 0)}`;
  const columns = hours.map(
    (hour, index) =>
      html`<g><title>${hourOf(hour)} UTC: ${latencyOf(hour)}</title><rect class="column" x="${index * WIDTH}" y="0" width="${WIDTH}" height="${HEIGHT}" />${(['p50Ms', 'p99Ms'] as const).map((name) => renderPoint(hours, { index, name, heightOf }))}</g>`,
  );
  return html`<div class="plot"><svg viewBox="${viewBox(hours)}" preserveAspectRatio="none" role="img" aria-label="${summary}">${columns}</svg></div>`;
}

interface Point {
  readonly index: number;
  readonly name: 'p50Ms' | 'p99Ms';
  readonly heightOf: (ms: number) => number;
}

/** A level for its hour, joined to that of the hour before. */
function renderPoint(hours: readonly Hour[], { index, name, heightOf }: Point): Html {
  const ms = hours[index]?.[name];
  if (ms === undefined) return NOTHING;
  const before = hours[index - 1]?.[name];
  const x = index * WIDTH;
  const y = heightOf(ms).toFixed(1);
  const join = before === undefined ? '' : `M${x} ${heightOf(before).toFixed(1)}V${y}`;
  return html`<path class="${name === 'p50Ms' ? 'p50' : 'p99'}" d="${join}M${x} ${y}h${WIDTH}" />`;
}

function latencyOf({ p50Ms, p99Ms }: Hour): string {
  if (p50Ms === undefined || p99Ms === undefined) return 'nothing delivered';
  return `p50 ${durationOf(p50Ms)}, p99 ${durationOf(p99Ms)}`;
}

function renderAxis(hours: readonly Hour[]): Html {
  return html`<div class="axis" aria-hidden="true">${hours
    .filter((_, index) => index % 6 === 0)
    .map((hour) => html`<span>${hourOf(hour)}</span>`)}</div>`;
}

function hourOf({ beganAtMs }: Hour): string {
  return new Date(beganAtMs).toISOString().slice(11, 16);
}
