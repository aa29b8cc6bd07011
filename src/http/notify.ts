// The routes of the Breez family: POST /api/v1/notify and /notify with a token in the query, and
// POST /api/v1/notify/:handle and /n/:handle for a registered device.

import { NOTIFY_DOOR } from '../core/devices/doors.ts';
import { ServiceError } from '../core/errors.ts';
import type { DeviceStore } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Parsed } from '../core/ports/source.ts';
import type { Target } from '../core/target.ts';
import { readBody } from './body.ts';
import type { HttpContext } from './context.ts';
import { type DeliveryParts, deliver } from './deliver.ts';
import { resolveHandle } from './handle.ts';
import type { AddressLimit } from './limits/address-limit.ts';
import type { ClientAddressOf } from './limits/client-address.ts';
import { parseTarget } from './query.ts';

export interface NotifyParts extends DeliveryParts {
  readonly ids: Ids;
  readonly devices: DeviceStore;
  /** Reads a body of the Breez family; throws `bad_body`. */
  readonly parse: (bytes: Uint8Array) => Parsed;
  /** Whether a URL may contain the token itself; a vendor turns it off when all wallets have handles. */
  readonly takesTokens: boolean;
  readonly clientAddressOf: ClientAddressOf;
  readonly addressLimit: AddressLimit;
  /** Whether a push would have to show what the provider thinks of the token. */
  readonly isUnknownToken: (target: Target) => boolean;
}

/** Size, query, body, and then whatever the notification asks for. */
export async function handleNotify(parts: NotifyParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  if (!parts.takesTokens) {
    const detail = 'This service takes no push tokens in URLs: use the URL of a registered device.';
    throw new ServiceError('not_found', { detail });
  }
  const target = parseTarget(c.req.url);
  const parsed = parts.parse(bytes);
  const push = () => deliver(parts, c, { parsed, recipient: { target, source: NOTIFY_DOOR } });
  const address = parts.clientAddressOf(c.env.incoming);
  if (address === undefined || parsed.kind === 'ignored') return await push();
  const isUnknownToken = parts.isUnknownToken(target);
  return await parts.addressLimit.guard({ address, isUnknownToken }, push);
}

/** The same for a registered device. */
export async function handleNotifyByHandle(parts: NotifyParts, c: HttpContext): Promise<Response> {
  const bytes = await readBody(c);
  const device = await resolveHandle(parts, NOTIFY_DOOR, c.req.param('handle') ?? '');
  const recipient = { target: device.target, deviceId: device.id, source: NOTIFY_DOOR };
  return await deliver(parts, c, { parsed: parts.parse(bytes), recipient });
}
