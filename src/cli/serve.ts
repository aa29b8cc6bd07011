// `nds serve`: runs the service. Refuses to start with one message that lists every fault.

import { ConfigError } from '../config/config.ts';
import { type Service, startService } from '../main.ts';
import { createLog, type Log } from '../observe/log.ts';
import { stackOf } from '../observe/stack.ts';
import { levelOf, remedyOf } from '../service/findings.ts';
import { openFilesFault, readOpenFileLimit } from '../service/open-files.ts';
import { prepare } from '../service/prepare.ts';
import { createSystemClock } from '../service/system.ts';
import { readEnvironmentOnce } from './environment.ts';
import { catchEscapedErrors } from './escaped-errors.ts';
import { explain } from './explain.ts';
import { catchStopSignals } from './signals.ts';

/** Returns the exit code if the service cannot start; else ends the process. */
export async function serve(): Promise<number> {
  const clock = createSystemClock();
  const signals = catchStopSignals();
  const escaped = catchEscapedErrors();
  let service: Service;
  let changedNames: () => readonly string[];
  let log: Log | undefined;
  try {
    const read = readEnvironmentOnce();
    changedNames = read.changedNames;
    const prepared = await prepare(read.environment, clock);
    log = createLog(prepared.config.logLevel, clock);
    for (const detail of prepared.ignored) log.say('warn', 'variable_ignored', { detail });
    const detail = openFilesFault(readOpenFileLimit(), prepared.config.maxConnections);
    if (detail !== undefined) log.say('warn', 'open_files_few', { detail });
    service = await startService(prepared, log, { clock, changedNames });
  } catch (error) {
    await log?.close();
    escaped.release();
    signals.release();
    process.stderr.write(`nds cannot start.\n${explain(error)}\n`);
    return 1;
  }
  const running = log;
  const { url, metricsUrl, nodeUrl } = service;
  running.say('info', 'listening', { url, metrics_url: metricsUrl, node_url: nodeUrl });
  const suspensions = clock.followSuspensions((ms) =>
    running.say('warn', 'machine_suspended', { lost_ms: ms }),
  );
  let exitCode = 0;
  const reportInternal = (cause: string) => {
    exitCode = 1;
    running.say('error', 'internal_fault', { where: 'process', cause });
  };
  escaped.reportTo(reportInternal);
  const stopAsked = Promise.race([signals.first, escaped.first]);
  reportProofs(service, running, stopAsked);
  signals.onHangUp(() => void reload(service, running, changedNames));
  await stopAsked;
  running.say('info', 'stopping');
  try {
    await service.stop();
  } catch (error) {
    reportInternal(stackOf(error));
  }
  suspensions.cancel();
  await running.close();
  // Everything important has ended; a thread that waits for a locked database must not keep the process alive.
  process.exit(exitCode);
}

/** If a file has a fault, the loaded settings stay, and the log says why. */
async function reload(
  service: Service,
  log: Log,
  changedNames: () => readonly string[],
): Promise<void> {
  try {
    const needsRestart = changedNames();
    const report = await service.reload();
    log.say('info', 'reloaded', { ...report, needs_restart: needsRestart });
  } catch (error) {
    const faults = error instanceof ConfigError ? error.faults : [stackOf(error)];
    log.say('error', 'reload_failed', { faults });
  }
}

const WORDS = {
  ok: ['info', 'can_reach_provider'],
  warning: ['warn', 'cannot_judge_provider'],
  broken: ['error', 'cannot_reach_provider'],
} as const;

/** Logs the result for each app and provider as soon as it is known; nothing once a stop was asked for. */
function reportProofs({ proofs }: Service, log: Log, stopAsked: Promise<unknown>): void {
  const stopped = stopAsked.then(() => undefined);
  for (const proof of proofs) {
    void Promise.race([proof, stopped]).then((proven) => {
      if (proven === undefined) return;
      const { findings, ...route } = proven;
      for (const finding of findings) {
        const [level, event] = WORDS[levelOf(finding)];
        const { code, text: detail } = finding;
        const remedy = level === 'info' ? undefined : remedyOf(finding);
        log.say(level, event, { ...route, code, detail, remedy });
      }
    });
  }
}
