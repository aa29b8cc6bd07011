// Lines that fit a terminal.

/** What a terminal shows at least. */
export const COLUMNS = 80;

/** At blanks, so that a terminal breaks no word; a longer word stays whole. What follows is indented. */
export function wrap(line: string, indent: number): string {
  const wrapped: string[] = [];
  let rest = line;
  while (rest.length > COLUMNS) {
    const blank = rest.lastIndexOf(' ', COLUMNS);
    const end = blank > indent ? blank : rest.indexOf(' ', COLUMNS);
    if (end < 0) break;
    wrapped.push(rest.slice(0, end).trimEnd());
    rest = `${' '.repeat(indent)}${rest.slice(end + 1)}`;
  }
  return [...wrapped, rest].join('\n');
}

/** Control characters, and those that turn the direction of a line: a terminal obeys them. */
const OBEYED = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** A value that must stay on its line, before it is cut to a width. */
export function onOneLine(value: string): string {
  return value.replace(OBEYED, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
