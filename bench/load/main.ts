// The process of the load generator.

import { z } from 'zod';
import { serveParent } from '../child.ts';
import { Callers } from './callers.ts';

const MAX_CALLS = 10_000_000;
const MAX_RUN_MS = 3_600_000;

const common = {
  /** Nothing but this machine is ever called. */
  host: z.enum(['127.0.0.1', '::1', 'localhost']),
  port: z.int().min(1).max(65_535),
  firstNumber: z.int().min(0),
  count: z.int().min(1).max(MAX_CALLS),
  maxMs: z.number().min(1).max(MAX_RUN_MS),
  api: z.enum(['breez', 'gorush']),
  mix: z.enum(['android', 'ios', 'mixed']),
  phones: z.int().min(1),
  topic: z.string(),
};

const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('closed'), callers: z.int().min(1).max(4_000), ...common }),
  z.object({ kind: z.literal('open'), ratePerSecond: z.number().min(0.1).max(100_000), ...common }),
  z.object({ kind: z.literal('burst'), ...common }),
]);

serveParent(commands, async (command) => {
  const callers = new Callers(command);
  switch (command.kind) {
    case 'closed':
      return await callers.closedLoop(command.callers);
    case 'open':
      return await callers.openLoop(command.ratePerSecond);
    case 'burst':
      return await callers.burst();
  }
});
