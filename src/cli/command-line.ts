// How `nds` reads its arguments. Tokens, handles and URLs are secrets, and one handle in 64 begins with a dash.

import { Command, type ErrorOptions, type ParseOptionsResult } from 'commander';

/** A handle has 22. No option is as long, and no value that an error had to show. */
const SECRET_CHARACTERS = 20;
const ONE_DASH = /^error: unknown option '-[^-]/;

export class NdsCommand extends Command {
  override createCommand(name?: string): NdsCommand {
    return new NdsCommand(name);
  }

  /** What is too long for an option is an argument. */
  override parseOptions(args: string[]): ParseOptionsResult {
    const { operands, unknown } = super.parseOptions(args);
    const [first = '', ...rest] = unknown;
    if (this.commands.length > 0 || !isArgument(first)) return { operands, unknown };
    const after = this.parseOptions(rest);
    return { operands: [...operands, first, ...after.operands], unknown: after.unknown };
  }

  /** Says what to do, too. */
  override error(message: string, options?: ErrorOptions): never {
    const name = nameOf(this);
    const listed = this.commands.length > 0 ? 'the commands' : 'what it takes';
    this.showHelpAfterError(`(${name} --help lists ${listed})`);
    const mayBeArgument = this.registeredArguments.length > 0 && ONE_DASH.test(message);
    const hint = `\nIf it is no option but an argument: ${name} -- ARGUMENT`;
    return super.error(`${message}${mayBeArgument ? hint : ''}`, options);
  }
}

/** An error of the arguments, without those that may be secrets. */
export function withoutSecrets(text: string, args: readonly string[]): string {
  return args
    .map((arg) => arg.replace(/^--[^=]{1,19}=/, ''))
    .filter(({ length }) => length >= SECRET_CHARACTERS)
    .toSorted((one, other) => other.length - one.length)
    .reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
}

function isArgument(word: string): boolean {
  return word.startsWith('-') && word.length >= SECRET_CHARACTERS && !word.includes('=');
}

/** With the group that it belongs to, such as `nds devices list`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}
