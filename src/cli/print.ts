// Standard output of the commands that print and end.

import { onOneLine } from '../core/finding/wrap.ts';

let isWatched = false;

/**
 * A reader that needs no more, such as `head`, closes the pipe: that ends the command and is no error. What a user or
 * a caller chose, such as the name of a user, cannot reach the terminal's controls; JSON stays the same JSON.
 */
export function print(text: string): void {
  if (!isWatched) {
    isWatched = true;
    process.stdout.on('error', endWithout);
  }
  process.stdout.write(text.split('\n').map(onOneLine).join('\n'));
}

function endWithout(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(0);
  const why = error.code === 'ENOSPC' ? 'the disk is full' : (error.code ?? error.message);
  process.stderr.write(`nds: the output cannot be written: ${why}\n`);
  process.exit(1);
}
