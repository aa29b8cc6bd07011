// Reads what the log knows about the wakes of phones.

import type { DeliveryWake } from '../../../core/ports/receipts.ts';
import type { WakeHistory } from '../../../core/receipts/history.ts';
import { RECEIPTS, WAKE_HISTORIES, WAKES } from '../../receipt-rows.ts';
import { toHistory, toWake } from '../../receipts.ts';
import { prepareRows, type Reading } from '../reading.ts';

export function prepareReceiptQueries(db: Reading) {
  const ofDelivery = 'WHERE row_id = (SELECT row_id FROM deliveries WHERE id = @deliveryId)';
  const findWakes = prepareRows(db, WAKES, 'WHERE id = @deliveryId');
  const findReceipts = prepareRows(db, RECEIPTS, `${ofDelivery} ORDER BY number`);
  const findHistories = prepareRows(db, WAKE_HISTORIES, 'WHERE token_hash = @tokenHash');

  return {
    findWake(deliveryId: string): DeliveryWake | undefined {
      const [wake] = findWakes({ deliveryId });
      return wake && toWake(wake, findReceipts({ deliveryId }));
    },
    findHistory(tokenHash: string): WakeHistory | undefined {
      const [row] = findHistories({ tokenHash });
      return row === undefined ? undefined : toHistory(row);
    },
  };
}
