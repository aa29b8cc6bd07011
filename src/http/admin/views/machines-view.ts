// Several machines over one database: which ones run, and which parts of the page apply to which machine.

import { html } from 'hono/html';
import { counted } from '../../../core/counted.ts';
import { durationOf } from '../../../core/finding/words.ts';
import type { MachineState } from '../../../core/ports/peers.ts';
import { badge, type Html, NOTHING, timeOf } from './elements.ts';

/** The same time after which the machines themselves declare one dead. */
const DEAD_MS = 6_000;

export interface ShownMachines {
  readonly all: readonly MachineState[];
  /** Which one answers, and whether it can deliver; about the others it knows only what is in the store. */
  readonly here: { readonly id: string; readonly isReady: boolean };
}

/** The script polls the list while this is shown, because a machine's stream has only its own events. */
export function renderMachines({ all, here }: ShownMachines): Html {
  return html`<section id="machines" aria-label="Machines"><h2>${all.length} ${all.length === 1 ? 'machine' : 'machines'}</h2>
<ul>${all.map((machine) => html`<li>${renderMachine(machine, here)}</li>`)}</ul>
<p class="fine">Status and “in flight here” are of ${here.id}, which answers now; everything else is of all machines.</p></section>`;
}

function renderMachine(machine: MachineState, here: ShownMachines['here']): Html {
  const { id, startedAtMs, silentForMs, deliveries, outages } = machine;
  const isHere = id === here.id;
  const isSilent = silentForMs >= DEAD_MS && !isHere;
  const left = `no sign of life for ${durationOf(silentForMs)}, ${countOf(deliveries)} left to the others`;
  return html`${badge(isSilent ? 'silent' : statusOf(machine, isHere && !here.isReady))} <b>${id}</b>${isHere ? ' (answers now)' : ''} · since ${timeOf(startedAtMs, 'day')} · ${isSilent ? left : `${countOf(deliveries)} under way`}${isSilent ? NOTHING : outages.map(({ app, provider, reason, beganAtMs }) => html`<br>${app}/${provider}: ${reason} since ${timeOf(beganAtMs)}`)}`;
}

function statusOf({ outages }: MachineState, isUnready: boolean): string {
  if (isUnready) return 'not ready';
  return outages.length === 0 ? 'running' : 'degraded';
}

function countOf(deliveries: number): string {
  return counted(deliveries, 'delivery', 'deliveries');
}
