// `npm run story`: causes each failure in a running service and prints where it showed, and in which words.

import type { Sign } from './stage.ts';
import { STORIES } from './stories.ts';

const COLUMNS = 80;
const WHERE_COLUMNS = 12;

for (const { failure, happens } of STORIES) {
  const ends: (() => Promise<void> | void)[] = [];
  const signs = await happens((end) => ends.push(end));
  process.stdout.write(`${failure}\n${signs.map(show).join('')}\n`);
  for (const end of ends.toReversed()) await end();
}

function show({ where, code, words }: Sign): string {
  return fold(`${where.padEnd(WHERE_COLUMNS)}${code}  ${words}`);
}

/** Breaks lines at spaces; later lines are indented below the code. */
function fold(text: string): string {
  const lines: string[] = [];
  let line = '  ';
  for (const word of text.split(/(?<= )(?! )/)) {
    if (line.length + word.trimEnd().length > COLUMNS && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = ' '.repeat(WHERE_COLUMNS + 2);
    }
    line += word;
  }
  return `${[...lines, line].join('\n')}\n`;
}
