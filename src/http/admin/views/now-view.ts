// What is going on: a card for each app at each provider, the last hours, and the filters of the list below them.

import { html } from 'hono/html';
import { STATUSES } from '../../../core/delivery.ts';
import { type History, historyKey } from '../../../core/finding/history.ts';
import { durationOf } from '../../../core/finding/words.ts';
import { renderCharts } from './chart.ts';
import { badge, type Html, NOTHING, timeOf } from './elements.ts';
import { renderMachines, type ShownMachines } from './machines-view.ts';

export interface LaneCard {
  readonly app: string;
  readonly provider: string;
  readonly status: string;
  readonly detail?: string | undefined;
  readonly lastSuccessAtMs?: number | undefined;
  readonly inFlight: number;
  /** Deliveries that have not ended, and since when the oldest of them waits. */
  readonly waiting: number;
  readonly oldestForMs?: number | undefined;
}

/** Entries of readiness that belong to no lane: the store, the clock, an endpoint. */
export interface ShownTrouble {
  readonly status: 'broken' | 'degraded';
  readonly name: string;
  readonly detail: string;
}

export interface NowParts {
  readonly cards: readonly LaneCard[];
  readonly troubles: readonly ShownTrouble[];
  readonly history: History;
  /** Absent if one machine owns the store. */
  readonly machines?: ShownMachines | undefined;
}

export function renderNow({ cards, troubles, history, machines }: NowParts): Html {
  const inFlight = machines === undefined ? 'in flight' : 'in flight here';
  return html`${troubles.map(({ status, name, detail }) => html`<p class="trouble" role="alert">${badge(status)} ${name}: ${detail}</p>`)}
<ul class="cards lanes">${cards.map((card) => html`<li class="card">${renderCard(card, history, inFlight)}</li>`)}</ul>
${machines === undefined ? NOTHING : renderMachines(machines)}
${renderCharts(history)}`;
}

function renderCard(card: LaneCard, { p99OfLane }: History, inFlight: string): Html {
  const { app, provider, status, detail, lastSuccessAtMs, waiting, oldestForMs } = card;
  const p99 = p99OfLane.get(historyKey(app, provider));
  const oldest = oldestForMs === undefined ? '' : `, the oldest ${durationOf(oldestForMs)}`;
  return html`<h2>${badge(status)} ${app}/${provider}</h2>${detail === undefined ? '' : html`<p>${detail}</p>`}
<dl><dt>last success</dt><dd>${lastSuccessAtMs === undefined ? 'none known' : timeOf(lastSuccessAtMs, 'day')}</dd><dt>p99, 24 h</dt><dd>${p99 === undefined ? '–' : durationOf(p99)}</dd><dt>${inFlight}</dt><dd>${card.inFlight}</dd><dt>waiting</dt><dd>${waiting}${oldest}</dd></dl>`;
}

export interface FilterChoices {
  readonly apps: readonly string[];
  readonly types: readonly string[];
  readonly codes: readonly string[];
}

/** The filters of the list; the script keeps them in the address. */
export function renderFilters({ apps, types, codes }: FilterChoices): Html {
  return html`<form id="filters" class="filters" aria-label="Filters">
${select('app', apps)}${select('provider', ['apns', 'apns_sandbox', 'fcm'])}${select('type', types)}${select('status', [...STATUSES, 'refused'])}${select('code', codes)}
<button type="reset">All</button></form>`;
}

function select(name: string, values: readonly string[]): Html {
  return html`<label>${name} <select name="${name}"><option value="">any</option>${values.map((value) => html`<option>${value}</option>`)}</select></label>`;
}
