// Counts in words for people: nothing reads `1 pushes`.

/** `1 push`, `2 pushes`. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
