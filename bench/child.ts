// Processes of the benchmark communicate over Node's own channel: one command at a time, one reply each.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';

/** Longer than any command; a benchmark that hangs must end. */
const COMMAND_TIMEOUT_MS = 900_000;

const replySchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Sends a command once the previous one has its reply, and resolves with the reply. */
  call<Output>(command: object, output: z.ZodType<Output>): Promise<Output>;
  /** Ends the process and waits for its end. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a module that calls `serveParent`. */
export function startChild(module: URL, args: readonly string[] = []): Child {
  const child = fork(module, [...args], { serialization: 'advanced', execArgv: [] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${module.pathname} could not be started`);
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (command: object): Promise<unknown> => {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(COMMAND_TIMEOUT_MS)]);
    const reply = replyFrom(child, signal);
    child.send(command);
    const replied = await reply.finally(() => over.abort());
    if (!replied.ok) throw new Error(replied.error);
    return replied.value;
  };
  return {
    pid,
    async call(command, output) {
      const reply = last.then(() => ask(command));
      // If a command fails, only its own caller gets the error, not the next command.
      last = reply.catch(() => undefined);
      return output.parse(await reply);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

async function replyFrom(
  child: ChildProcess,
  signal: AbortSignal,
): Promise<z.output<typeof replySchema>> {
  const ended = once(child, 'exit', { signal }).then(([code, killedBy]) => {
    throw new Error(`${child.spawnargs.at(-1)} ended with ${String(killedBy ?? code)}`);
  });
  const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
  // If this one lost the race, `signal` ends it.
  ended.catch(() => {});
  return replySchema.parse(message);
}

/** The other end: answers every command with what `handle` returns. Ends with its parent. */
export function serveParent<Command>(
  commands: z.ZodType<Command>,
  handle: (command: Command) => unknown,
): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async (message) => {
    try {
      process.send?.({ ok: true, value: await handle(commands.parse(message)) });
    } catch (error) {
      process.send?.({ ok: false, error: error instanceof Error ? error.stack : String(error) });
    }
  });
}
