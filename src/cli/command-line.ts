// How `nds` reads its arguments. Tokens, handles and URLs are secrets, and one handle in 64 begins with a dash.

import { Command, type ErrorOptions, type ParseOptionsResult } from 'commander';

/** A handle has 22 characters. Options, and values that an error message has to show, are shorter than this. */
const SECRET_CHARACTERS = 20;
const ONE_DASH = /^error: unknown option '-[^-]/;

export class NdsCommand extends Command {
  override createCommand(name?: string): NdsCommand {
    return new NdsCommand(name);
  }

  /** An unknown option that is longer than any option counts as an argument. */
  override parseOptions(args: string[]): ParseOptionsResult {
    const { operands, unknown } = super.parseOptions(args);
    const [first = '', ...rest] = unknown;
    if (this.commands.length > 0 || !isArgument(first)) return { operands, unknown };
    const after = this.parseOptions(rest);
    return { operands: [...operands, first, ...after.operands], unknown: after.unknown };
  }

  /** Adds what to do. */
  override error(message: string, options?: ErrorOptions): never {
    const name = nameOf(this);
    const listed = this.commands.length > 0 ? 'the commands' : 'what it takes';
    this.showHelpAfterError(`(${name} --help lists ${listed})`);
    const mayBeArgument = this.registeredArguments.length > 0 && ONE_DASH.test(message);
    const hint = `\nIf it is no option but an argument: ${name} -- ARGUMENT`;
    return super.error(`${message}${mayBeArgument ? hint : ''}`, options);
  }
}

/** The error message of wrong arguments, without the arguments that may be secrets. */
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

/** The command's name with its group, such as `nds devices list`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`;
}
