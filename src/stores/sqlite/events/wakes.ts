// Events about receipts: a push that woke its phone, a phone that fell silent, a phone that returned. The log
// has no token by then: its SHA-256 is in the phone's history.

import type Database from 'better-sqlite3';
import type { EventType } from '../../../core/events/catalogue.ts';
import type { RecordedReceipt, RepliedPhone, SilentPhone } from '../../../core/ports/receipts.ts';
import type { EventRecording } from './recording.ts';

export function prepareWakeEvents(db: Database.Database, recording: EventRecording) {
  const findDevice = db
    .prepare<[string], string>('SELECT id FROM devices WHERE token_hash = ? LIMIT 1')
    .pluck();
  const findDigest = db
    .prepare<[string], string | null>(
      'SELECT token_sha256 FROM wake_histories WHERE token_hash = ?',
    )
    .pluck();
  const phoneOf = (tokenHash: string) => ({
    tokenHash,
    deviceId: findDevice.get(tokenHash),
    tokenSha256: findDigest.get(tokenHash) ?? undefined,
  });

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
