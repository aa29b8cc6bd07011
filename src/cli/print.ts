// Standard output of the commands that print and end.

let isWatched = false;

/** A reader that needs no more, such as `head`, closes the pipe: that ends the command and is no error. */
export function print(text: string): void {
  if (!isWatched) {
    isWatched = true;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(0);
    });
  }
  process.stdout.write(text);
}
