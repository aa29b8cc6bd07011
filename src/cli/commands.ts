// The commands of `nds` and what they are for; each has a file of its own, loaded only when it runs.

import { readEnvironment } from './environment.ts';
import { explain } from './explain.ts';

interface Command {
  readonly summary: string;
  run(args: readonly string[]): Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    summary: 'run the service, configured by the environment (the default)',
    run: async () => (await import('./serve.ts')).serve(),
  },
  demo: {
    summary: 'run it against stand-ins of APNs and FCM and wake two phones; --once ends by itself',
    run: async (args) => (await import('./demo.ts')).demo(args),
  },
  find: {
    summary: 'was it sent? look up a delivery id, payment hash, swap id or token; --app, --limit',
    run: async (args) => (await import('./find.ts')).find(args, readEnvironment()),
  },
  config: {
    summary: 'list every environment variable, its default and what it does',
    run: async () => (await import('./show-config.ts')).showConfig(),
  },
};

/** Returns the exit code: 0 done, 1 failed, 2 no such command. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const [name = 'serve', ...rest] = args;
  if (name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`nds: there is no command ${JSON.stringify(name)}\n\n${usage()}`);
    return 2;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    process.stderr.write(`nds ${name}: ${explain(error)}\n`);
    return 1;
  }
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(8)}${summary}`,
  );
  return `usage: nds [command]\n\n${lines.join('\n')}\n`;
}
