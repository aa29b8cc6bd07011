// A bounded memory of tokens, phones and other values that strangers can invent: the least recently used is forgotten.

/** `max` values at most. */
export class Recent<Value> {
  readonly #values = new Map<string, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Without counting as a use. */
  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  use(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const oldest = this.#values.keys().next();
    if (!oldest.done) this.#values.delete(oldest.value);
  }

  /** The most recently used comes last. */
  values(): readonly Value[] {
    return [...this.#values.values()];
  }

  /** How many values the condition holds for. */
  count(condition: (value: Value) => boolean): number {
    return [...this.#values.values()].filter(condition).length;
  }

  clear(): void {
    this.#values.clear();
  }

  delete(key: string): boolean {
    return this.#values.delete(key);
  }
}
