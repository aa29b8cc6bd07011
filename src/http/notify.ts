// The Breez family's door, drop-in for breez/notify: by token (POST /api/v1/notify, /notify) and by handle
// (POST /api/v1/notify/:handle, /n/:handle). Nobody signs here: the URL is the secret.

import { NOTIFY_DOOR } from '../core/devices/doors.ts';
import { ServiceError } from '../core/errors.ts';
import type { DeviceStore } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Parsed } from '../core/ports/source.ts';
import { type Answering, answerParsed } from './answer.ts';
import { readBody } from './body.ts';
import type { Call } from './door.ts';
import { resolveHandle } from './handle.ts';
import type { HttpAnswer } from './http-answer.ts';
import { parseTarget } from './query.ts';

export interface NotifyDoor extends Answering {
  readonly ids: Ids;
  readonly devices: DeviceStore;
  /** Reads a body of the Breez family; throws `bad_body`. */
  readonly parse: (bytes: Uint8Array) => Parsed;
  /** Whether a URL may carry the token itself; a vendor switches it off when all wallets have handles. */
  readonly takesTokens: boolean;
}

/** Size, query, body, and then whatever the notification asks for. */
export async function handleNotify(door: NotifyDoor, call: Call): Promise<HttpAnswer> {
  const bytes = await readBody(call.incoming);
  if (!door.takesTokens) {
    const detail = 'This service takes no push tokens in URLs: use the URL of a registered device.';
    throw new ServiceError('not_found', { detail });
  }
  const target = parseTarget(call.incoming.url ?? '');
  const recipient = { target, source: NOTIFY_DOOR };
  return await answerParsed(door, call, { parsed: door.parse(bytes), recipient });
}

/** The same for a registered device. */
export async function handleNotifyByHandle(door: NotifyDoor, call: Call): Promise<HttpAnswer> {
  const bytes = await readBody(call.incoming);
  const device = await resolveHandle(door, NOTIFY_DOOR, call.param('handle'));
  const recipient = { target: device.target, deviceId: device.id, source: NOTIFY_DOOR };
  return await answerParsed(door, call, { parsed: door.parse(bytes), recipient });
}
