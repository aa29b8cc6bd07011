// POST /admin/view/devices: registered devices, all of them or those of a user, handle or id. By POST, since a handle
// must not be in a URL.

import { z } from 'zod';
import type { FindResult } from '../../core/finding/find.ts';
import { MAX_QUESTION_CHARACTERS } from '../../core/finding/question.ts';
import type { Device } from '../../core/ports/devices.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { checkBody, parseJsonBody } from '../devices/device-body.ts';
import { reading } from '../handle.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { ask } from './show-find.ts';
import { renderDevices, type ShownDevice } from './views/devices-view.ts';
import { piece } from './views/elements.ts';

const PAGE = 50;
const LAST_DELIVERIES = 5;

const devicesBody = z.strictObject({
  q: z.string().trim().max(MAX_QUESTION_CHARACTERS).default(''),
  cursor: z.int().positive().optional(),
});

export async function showDevices(parts: AdminParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  const { scopes } = requireSession(parts.access, c, 'read');
  const { q, cursor } = checkBody(devicesBody, parseJsonBody(bytes));
  const { externalUrl } = parts.access;
  const { pathOf } = parts.operator.devices;
  const urlOf = (door: string, handle: string) => `${externalUrl ?? ''}${pathOf(door)}${handle}`;
  const found = q === '' ? await readAll(parts, cursor) : await readFound(parts, q);
  return await piece(c, renderDevices({ ...found, scopes, urlOf }));
}

interface Found {
  readonly devices: readonly ShownDevice[];
  readonly next?: number | undefined;
  readonly isPage: boolean;
}

async function readAll({ operator }: AdminParts, cursor: number | undefined): Promise<Found> {
  const page = await reading(() => operator.operating.listDevices({ cursor, limit: PAGE }));
  const devices = page.entries.map((device) => ({ device, last: [] }));
  return { devices, next: page.next, isPage: true };
}

async function readFound(parts: AdminParts, q: string): Promise<Found> {
  const answer = await ask(parts.operator, q);
  const devices = await Promise.all(
    answer.evidence.devices.map(({ id }) => readDevice(parts, id, answer)),
  );
  return { devices: devices.filter((device) => device !== undefined), isPage: false };
}

/** Undefined if it was deleted since. */
async function readDevice(
  { devices, wakesOf }: AdminParts,
  id: string,
  answer: FindResult,
): Promise<ShownDevice | undefined> {
  const device: Device | undefined = await reading(() => devices.findDevice(id));
  if (device === undefined) return undefined;
  const last = answer.deliveries
    .map(({ delivery }) => delivery)
    .filter(({ deviceId }) => deviceId === id)
    .slice(0, LAST_DELIVERIES);
  return { device, last, wakes: await reading(() => wakesOf(device.target)) };
}
