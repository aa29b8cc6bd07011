// What commands need from the machine.

import type { Environment } from '../config/config.ts';
import type { Clock } from '../core/ports/clock.ts';
import { createSystemClock } from '../service/system.ts';
import { readEnvironment } from './environment.ts';

export interface Context {
  readonly environment: Environment;
  readonly clock: Clock;
}

export function readContext(): Context {
  return { environment: readEnvironment(), clock: createSystemClock() };
}
