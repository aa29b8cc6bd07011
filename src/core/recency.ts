// What was used lately, bounded. To move a key to the end of a Map at every use leaves a hole each time, and V8
// builds the Map anew again and again. So there are two: what is used goes into the young one, and when that is
// half of all, it becomes the old one, and what was old and not used again is forgotten.

export class Recency<Value> {
  readonly #maxYoung: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** Keeps at most `maxKeys`, and the `maxKeys / 2` that were used last in any case. */
  constructor(maxKeys: number) {
    this.#maxYoung = Math.max(1, Math.floor(maxKeys / 2));
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
    if (this.#young.size < this.#maxYoung) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
