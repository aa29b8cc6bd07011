// `nds serve`: the real thing. Refuses to start with one message that lists every fault.

import { ConfigError, type Environment } from '../config.ts';
import { type Service, startService } from '../main.ts';
import { createLog, type Log } from '../observe/log.ts';
import { prepare } from '../preparation.ts';
import { createSystemClock } from '../system.ts';
import { onStopSignal } from './signals.ts';

export async function serve(environment: Environment): Promise<number> {
  const clock = createSystemClock();
  let service: Service;
  let log: Log | undefined;
  try {
    const prepared = await prepare(environment, clock);
    log = createLog(prepared.config.logLevel);
    service = await startService(prepared, log, { clock });
  } catch (error) {
    log?.flush();
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
  await onStopSignal(async () => {
    running.say('info', 'stopping');
    await service.stop();
  });
  return 0;
}

/** The causes that an operator can mend come as sentences; anything else keeps its stack. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return `${error.message}\nAll variables: npm run nds -- config`;
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return 'Its port is taken: another program listens there. End it, or set PORT or NOTIFY_HTTP_ADDRESS.';
  }
  if ('code' in error && error.code === 'EACCES') {
    return `${error.message}. Run it as a user that may, or change the path or port.`;
  }
  return error.name.endsWith('Error') && error.name !== 'Error' && error.name !== 'TypeError'
    ? error.message
    : (error.stack ?? error.message);
}
