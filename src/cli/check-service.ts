// What `nds doctor` asks the running service: it knows what no look from outside shows, such as a file that was moved
// away, or a token's environment that most phones refute.

import type { Environment } from '../config/config.ts';
import { momentOf } from '../core/finding/words.ts';
import type { Finding } from '../service/findings.ts';
import { readServiceState } from './operate/reach.ts';

const CHECK = 'service';

/** Never rejects. */
export async function checkService(
  environment: Environment,
  withinMs?: number,
): Promise<readonly Finding[]> {
  const state = await readServiceState(environment, withinMs);
  if (state === undefined) {
    const text = 'none can be asked: none runs here on this database, or it runs as another user';
    return [{ check: CHECK, code: 'service_silent', text }];
  }
  if (state === 'hangs') {
    const text = 'it listens for commands, and does not answer';
    return [{ check: CHECK, code: 'service_hangs', text }];
  }
  const problems = Object.entries(state.checks).filter(
    ([, { ready, detail }]) => !ready || detail !== undefined,
  );
  if (problems.length === 0) {
    return [{ check: CHECK, code: 'service_ready', text: 'runs and can deliver' }];
  }
  return problems.map(([name, { ready, detail = 'not ready', since }]) => ({
    check: CHECK,
    code: ready ? 'service_degraded' : 'service_not_ready',
    text: `${name}${since === undefined ? '' : ` since ${momentOf(Date.parse(since))}`}: ${detail}`,
  }));
}
