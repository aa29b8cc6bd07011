// What was used lately, bounded. To move a key to the end of a Map at every use leaves a hole each time, and V8
// builds the Map anew again and again. So there are two: what is used goes into the young one, and when that is
// full, it becomes the old one, and what was old and not used again is forgotten.

export class Recency<Value> {
  readonly #keys: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** Keeps the `keys` that were used last in any case, and at most twice as many. */
  constructor(keys: number) {
    this.#keys = keys;
  }

  /** Without counting as a use. */
  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  use(key: string, value: Value): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#keys) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
