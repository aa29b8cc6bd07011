// `nds config`: every environment variable with its default and its purpose.

import { SETTINGS } from '../config/settings.ts';

export function showConfig(): number {
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) process.stdout.write(`\n${setting.group}\n`);
    group = setting.group;
    const fallback = setting.defaultText ? ` [${setting.defaultText}]` : '';
    process.stdout.write(`  ${setting.name}${fallback}\n      ${setting.help}\n`);
  }
  return 0;
}
