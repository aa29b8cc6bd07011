// Quarantines as this machine reads them: a row has the database's times, an entry those of the wall clock.

import type { QuarantineEntry } from '../../../core/ports/store.ts';
import { toQuarantineEntry } from '../../domain.ts';
import type { QUARANTINED, RowOf } from '../../rows.ts';
import type { Times } from '../times.ts';

export function toQuarantined(row: RowOf<typeof QUARANTINED>, times: Times): QuarantineEntry {
  return toQuarantineEntry({
    ...row,
    since_ms: times.wallFrom(row.since_ms),
    until_ms: times.wallFrom(row.until_ms),
  });
}
