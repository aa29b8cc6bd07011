// Quarantines as this machine reads them: their times are the database's.

import type { QuarantineEntry } from '../../../core/ports/store.ts';
import { toQuarantineEntry } from '../../domain.ts';
import type { QUARANTINED, RowOf } from '../../rows.ts';
import type { Times } from '../times.ts';

export function toQuarantined(row: RowOf<typeof QUARANTINED>, times: Times): QuarantineEntry {
  return toQuarantineEntry({
    ...row,
    since_ms: times.from(row.since_ms),
    until_ms: times.from(row.until_ms),
  });
}
