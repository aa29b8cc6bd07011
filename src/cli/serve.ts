// `nds serve`: the real thing. Refuses to start with one message that lists every fault.

import { type Service, startService } from '../main.ts';
import { createLog, type Log } from '../observe/log.ts';
import { prepare } from '../service/prepare.ts';
import { createSystemClock } from '../service/system.ts';
import { readEnvironment } from './environment.ts';
import { explain } from './explain.ts';
import { catchStopSignals } from './signals.ts';

/** Returns the exit code. */
export async function serve(): Promise<number> {
  const clock = createSystemClock();
  const signals = catchStopSignals();
  let service: Service;
  let log: Log | undefined;
  try {
    const prepared = await prepare(readEnvironment(), clock);
    log = createLog(prepared.config.logLevel, clock);
    service = await startService(prepared, log, { clock });
  } catch (error) {
    log?.flush();
    signals.release();
    process.stderr.write(`nds cannot start.\n${explain(error)}\n`);
    return 1;
  }
  const running = log;
  running.say('info', 'listening', { url: service.url });
  void service.reach.then((reach) => {
    for (const { health, ...route } of reach) {
      const message = health.ready ? 'can reach its provider' : 'cannot reach its provider';
      running.say(health.ready ? 'info' : 'error', message, { ...route, detail: health.detail });
    }
  });
  await signals.first;
  running.say('info', 'stopping');
  await service.stop();
  // All that matters has ended; a thread that waits for a locked database must not keep the process.
  process.exit(0);
}
