// `nds config`: every environment variable with its default and its purpose.

import { SETTINGS } from '../config/settings.ts';
import { print } from './print.ts';

export function showConfig(): void {
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) print(`\n${setting.group}\n`);
    group = setting.group;
    const fallback = setting.defaultText ? ` [${setting.defaultText}]` : '';
    print(`  ${setting.name}${fallback}\n      ${setting.help}\n`);
  }
}
