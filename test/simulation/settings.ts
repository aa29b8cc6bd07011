// The configuration of the simulated service: pools and rates small enough that floods overflow them.

import { type Config, isComplete, readSettings } from '../../src/config/config.ts';

export const MAX_IN_FLIGHT = 40;
export const MAX_QUEUED = 120;

export function readSimulatedConfig(): Config {
  const faults: string[] = [];
  const { values } = readSettings({
    NDS_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
    NDS_MAX_QUEUED: String(MAX_QUEUED),
    NDS_TOKEN_RATE: '20/0.5',
    NDS_GLOBAL_RATE: '2000/1000',
    NDS_MAX_REPLY_WAITS: '50',
  });
  if (!isComplete(values, faults)) throw new Error(faults.join('; '));
  return values;
}
