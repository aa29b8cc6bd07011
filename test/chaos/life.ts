// One life of the real program, from its start to `kill -9` or a clean stop. It may be killed before it
// listens, and reports each delivery that it settles.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { startCommand } from '../../bench/service.ts';
import type { OnEnd } from '../support/service.ts';

const lineSchema = z.looseObject({
  level: z.string(),
  event: z.string(),
  url: z.string().optional(),
  delivery_id: z.string().optional(),
});
type Line = z.output<typeof lineSchema>;

export interface Life {
  /** Its address when it listens; undefined if it died before. */
  readonly listening: Promise<string | undefined>;
  /** Called for every later line of its log. */
  onLine(listener: (line: Line) => void): void;
  /** Resolves when it has logged the end of each of these; rejects if it dies before. */
  settles(deliveryIds: readonly string[]): Promise<void>;
  /** `kill -9`, at once. */
  kill(): void;
  /** SIGSTOP: it stands still until `resume`. */
  pause(): void;
  resume(): void;
  /** Resolves with its exit code, or null if it was killed. */
  readonly ended: Promise<number | null>;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  readonly stderr: string;
}

/** Starts it; it is gone in any case when the test is over. */
export function beginLife(
  environment: Readonly<Record<string, string>>,
  onEnd: OnEnd = onTestFinished,
): Life {
  const { options, entry, args } = startCommand();
  const child = spawn(process.execPath, [...options, entry, ...args], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close').then(([code]: unknown[]) =>
    typeof code === 'number' ? code : null,
  );
  onEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const settled = new Set<string>();
  const listeners = new Set<(line: Line) => void>();
  const { promise: heard, resolve: onListening } = Promise.withResolvers<string | undefined>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = readLine(text);
    if (line === undefined) return;
    if (line.event === 'listening') onListening(line.url);
    if (line.event === 'delivery_settled' && line.delivery_id !== undefined) {
      settled.add(line.delivery_id);
    }
    for (const listener of listeners) listener(line);
  });
  const settles = async (deliveryIds: readonly string[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const open = () => deliveryIds.filter((id) => !settled.has(id));
    const look = () => {
      if (open().length === 0) resolve();
    };
    listeners.add(look);
    look();
    void ended.then(() => reject(new Error(`it died with ${open().length} open: ${stderr}`)));
    await promise;
    listeners.delete(look);
  };
  return {
    listening: Promise.race([heard, ended.then(() => undefined)]),
    onLine: (listener) => void listeners.add(listener),
    settles,
    kill: () => void child.kill('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    ended,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    get stderr() {
      return stderr;
    },
  };
}

/** Undefined for the incomplete line that a killed process leaves. */
function readLine(text: string): Line | undefined {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
