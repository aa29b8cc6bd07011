// Registered devices: their users, their doors, their last deliveries, and what can be revoked.

import { html } from 'hono/html';
import { counted } from '../../../core/counted.ts';
import { shortId } from '../../../core/finding/lines.ts';
import type { Device } from '../../../core/ports/devices.ts';
import type { LoggedDelivery } from '../../../core/ports/store.ts';
import { answeredOf, type WakeHistory } from '../../../core/receipts/history.ts';
import {
  badge,
  button,
  copyButton,
  findLink,
  type Html,
  NOTHING,
  type Scopes,
  timeOf,
} from './elements.ts';
import { testPushButton } from './find-view.ts';

export interface ShownDevice {
  readonly device: Device;
  /** Newest first; absent if it was not asked for. */
  readonly last: readonly LoggedDelivery[];
  /** If it sends receipts. */
  readonly wakes?: WakeHistory | undefined;
}

export interface DevicesParts {
  readonly devices: readonly ShownDevice[];
  readonly next?: number | undefined;
  /** One of all, or what was looked for. */
  readonly isPage: boolean;
  readonly scopes: Scopes;
  readonly urlOf: (door: string, handle: string) => string;
}

export function renderDevices(parts: DevicesParts): Html {
  const { devices, next, isPage } = parts;
  return html`<h1>Devices</h1>
<form id="find-devices" class="find-devices" role="search"><input name="q" type="search" autocomplete="off" aria-label="User, handle, webhook URL or id" placeholder="User, handle, webhook URL or id"><button>Find</button></form>
${devices.length === 0 ? html`<p>${isPage ? 'No device is registered.' : 'No device has this user, handle, URL or id.'}</p>` : ''}
<ul class="cards">${devices.map((shown) => html`<li class="card">${renderDevice(shown, parts)}</li>`)}</ul>
${next === undefined ? '' : html`<p><a class="row" href="#devices?cursor=${next}">Older ones</a></p>`}`;
}

function renderDevice({ device, last, wakes }: ShownDevice, parts: DevicesParts): Html {
  const { id, target, user, registrar, locale, createdAtMs, seenAtMs, deadSinceMs } = device;
  return html`<h2><a href="#devices?${new URLSearchParams({ q: id })}">${shortId(id)}</a> ${target.app}, ${target.platform}${deadSinceMs === undefined ? '' : html` ${badge('dead')}`}</h2>
<dl><dt>user</dt><dd>${user ?? 'none'}</dd>${target.environment === undefined ? '' : html`<dt>environment</dt><dd>${target.environment}</dd>`}${locale === undefined ? '' : html`<dt>language</dt><dd>${locale}</dd>`}<dt>registered</dt><dd>${timeOf(createdAtMs, 'day')} by ${registrar}</dd><dt>seen</dt><dd>${timeOf(seenAtMs, 'day')}</dd>${deadSinceMs === undefined ? '' : html`<dt>token dead since</dt><dd>${timeOf(deadSinceMs, 'day')}</dd>`}${wakes === undefined ? '' : renderWakes(wakes)}</dl>
${renderDoors(device, parts)}
${last.length === 0 ? NOTHING : html`<ul class="last">${last.map((one) => html`<li><a class="row" href="${findLink(one.id)}">${timeOf(one.receivedAtMs, 'day')}${badge(one.status)}<span>${one.type}</span></a></li>`)}</ul>`}
<p>${parts.scopes.has('operate') ? testPushButton(id) : ''} ${parts.scopes.has('register') ? removeButton(id) : ''}</p>`;
}

function renderWakes({ recent, lastWakeAtMs, silentSinceMs, demotedAtMs }: WakeHistory): Html {
  return html`<dt>receipts</dt><dd>${receiptsIn(recent)}</dd>${lastWakeAtMs === undefined ? '' : html`<dt>last wake</dt><dd>${timeOf(lastWakeAtMs, 'day')}</dd>`}${silentSinceMs === undefined ? '' : html`<dt>${badge('silent')} since</dt><dd>${timeOf(silentSinceMs, 'day')}</dd>`}${demotedAtMs === undefined ? '' : html`<dt>demoted</dt><dd>${timeOf(demotedAtMs, 'day')}</dd>`}`;
}

function receiptsIn(recent: string): string {
  const { answered, pushes } = answeredOf({ recent });
  if (pushes === 0) return 'no push asked for one yet';
  if (pushes === 1) return answered === 1 ? 'for its last push' : 'none for its last push';
  return `for ${answered} of its last ${pushes} pushes`;
}

/** A URL grants the right to wake the phone, so only keys that may create URLs see it. */
function renderDoors({ id, handles }: Device, { scopes, urlOf }: DevicesParts): Html {
  const mayHold = scopes.has('register');
  return html`<details><summary>${counted(Object.keys(handles).length, 'webhook URL', 'webhook URLs')}</summary><ul class="doors">${Object.entries(
    handles,
  ).map(
    ([door, handle]) =>
      html`<li>${door} ${mayHold ? html`${copyButton('Copy URL', urlOf(door, handle))} ${revokeButton(id, door)}` : ''}</li>`,
  )}</ul></details>`;
}

function revokeButton(id: string, door: string): Html {
  return button({
    label: 'Revoke',
    method: 'DELETE',
    path: `devices/${id}/handles/${door}`,
    question: `Calls to the URL of ${door} will be refused from now on. Revoke it?`,
  });
}

function removeButton(id: string): Html {
  return button({
    label: 'Delete device',
    method: 'DELETE',
    path: `devices/${id}`,
    question: 'All its URLs will be refused, and its open deliveries end. Delete it?',
  });
}
