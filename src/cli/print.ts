// Standard output of the commands that print and end.

import { onOneLine } from '../core/finding/wrap.ts';

let isWatched = false;

/**
 * If the reader, such as `head`, closes the pipe, the command does the rest of its work without output and keeps its
 * exit code. Text that a user or a caller chose, such as the name of a user, cannot control the terminal; JSON keeps
 * its meaning.
 */
export function print(text: string): void {
  if (!isWatched) {
    isWatched = true;
    process.stdout.on('error', endUnlessClosed);
  }
  process.stdout.write(text.split('\n').map(onOneLine).join('\n'));
}

function endUnlessClosed(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  const why = error.code === 'ENOSPC' ? 'the disk is full' : (error.code ?? error.message);
  process.stderr.write(`nds: the output cannot be written: ${why}\n`);
  process.exit(1);
}
