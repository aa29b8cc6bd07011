// `nds doctor` as a program of its own, next to the stand-ins.

import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { startProgram } from './program.ts';
import { sandboxEnvironment, temporaryFolder } from './service.ts';

export const report = z.object({
  exit_code: z.number(),
  findings: z.array(
    z.object({
      check: z.string(),
      code: z.string(),
      level: z.enum(['ok', 'warning', 'broken']),
      text: z.string(),
      remedy: z.string().optional(),
      see: z.string().optional(),
    }),
  ),
});
export type Report = z.infer<typeof report>;

export interface Setup {
  readonly sandbox: Sandbox;
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** Runs it with these variables changed; an empty value means that it is not set. */
  run(
    args: readonly string[],
    changed?: Record<string, string>,
  ): Promise<{ code: number | undefined; stdout: string }>;
  /** The same with `--json`; returns the findings by the check's name. */
  examine(
    args: readonly string[],
    changed?: Record<string, string>,
  ): Promise<{ code: number | undefined; byCheck: Record<string, Report['findings'][number]> }>;
}

export async function setup(): Promise<Setup> {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const environment = { ...sandboxEnvironment(sandbox, folder), NOTIFY_EXTERNAL_URL: '' };
  const run = async (args: readonly string[], changed: Record<string, string> = {}) => {
    const program = startProgram({
      args: ['doctor', ...args],
      environment: { ...environment, ...changed },
      folder,
    });
    const { code, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    return { code, stdout };
  };
  return {
    sandbox,
    folder,
    environment,
    run,
    examine: async (args, changed) => {
      const { code, stdout } = await run(['--json', ...args], changed);
      const { exit_code, findings } = report.parse(JSON.parse(stdout));
      expect(exit_code).toBe(code);
      return { code, byCheck: Object.fromEntries(findings.map((one) => [one.check, one])) };
    },
  };
}

export function pushesTo(sandbox: Sandbox, provider: 'apns' | 'fcm') {
  return sandbox.requests().filter((request) => request.provider === provider);
}
