// What the vendor is told of receipts: a push that woke its phone, a phone that fell silent, one that returned. The log
// has no token any more; where the phone is registered its registration has it.

import type Database from 'better-sqlite3';
import { tokenSha256 } from '../../../core/events/body.ts';
import type { EventType } from '../../../core/events/catalogue.ts';
import type { RecordedReceipt, RepliedPhone, SilentPhone } from '../../../core/ports/receipts.ts';
import { DEVICES, type RowOf } from '../../rows.ts';
import { openDeviceContent } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { EventRecording } from './recording.ts';

export function prepareWakeEvents(
  db: Database.Database,
  { sealer, recording }: { readonly sealer: Sealer; readonly recording: EventRecording },
) {
  const find = db.prepare<[string], RowOf<typeof DEVICES>>(
    `${DEVICES.sql} WHERE token_hash = ? LIMIT 1`,
  );
  const phoneOf = (tokenHash: string) => {
    const row = find.get(tokenHash);
    const content = row && openDeviceContent(sealer, row);
    const digest = content && tokenSha256(content.token);
    return { tokenHash, deviceId: row?.id, tokenSha256: digest };
  };

  return {
    receipt(recorded: RecordedReceipt, atMs: number): void {
      const { app, provider, type: notificationType, deliveryId, tokenHash } = recorded;
      const tell = (type: EventType) => {
        if (!recording.isWished(type)) return;
        const phone = phoneOf(tokenHash);
        recording.record({ ...phone, atMs, type, app, provider, deliveryId, notificationType });
      };
      if (recorded.isFirst && recorded.isKept) tell('delivery.woke');
      if (recorded.hasReturned) tell('device.returned');
    },
    replied(
      { app, tokenHash, hasReturned }: RepliedPhone,
      { deliveryId, atMs }: { readonly deliveryId: string; readonly atMs: number },
    ): void {
      const type = 'device.returned';
      if (!hasReturned || !recording.isWished(type)) return;
      recording.record({ ...phoneOf(tokenHash), atMs, type, app, deliveryId });
    },
    silent(phones: readonly SilentPhone[], atMs: number): void {
      const type = 'device.silent';
      if (!recording.isWished(type)) return;
      for (const { app, tokenHash } of phones) {
        recording.record({ ...phoneOf(tokenHash), atMs, type, app });
      }
    },
  };
}
