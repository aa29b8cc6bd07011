// `nds config`: every environment variable with its default and its purpose.

import { SETTINGS } from '../config/settings.ts';
import { print } from './print.ts';

/** What a terminal shows at least. */
const COLUMNS = 80;
const INDENT = '      ';

export function showConfig(): void {
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) print(`\n${setting.group}\n`);
    group = setting.group;
    const fallback = setting.defaultText ? ` [${setting.defaultText}]` : '';
    print(`  ${setting.name}${fallback}\n${wrap(setting.help)}\n`);
  }
}

function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    const longer = line === undefined ? INDENT + word : `${line} ${word}`;
    if (line === undefined || longer.length > COLUMNS) lines.push(INDENT + word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join('\n');
}
