// What an outside observer knows about several machines over one store: the name of each life there, which lives were
// declared dead, and which were stopped for a while.

import type { Span } from './weather.ts';

export class Fleet {
  readonly #lives = new Map<string, number>();
  readonly #declaredDeadAtMs = new Map<number, number>();
  readonly #stops: (Span & { readonly life: number })[] = [];

  joined(owner: string, life: number): void {
    this.#lives.set(owner, life);
  }

  lifeOf(owner: string): number | undefined {
    return this.#lives.get(owner);
  }

  /** Another machine declared this one dead. */
  declaredDead(owner: string, atMs: number): void {
    const life = this.#lives.get(owner);
    if (life !== undefined) this.#declaredDeadAtMs.set(life, atMs);
  }

  wasDeclaredDead(life: number, sinceMs = 0): boolean {
    return (this.#declaredDeadAtMs.get(life) ?? -1) >= sinceMs;
  }

  stopped(life: number, span: Span): void {
    this.#stops.push({ life, ...span });
  }

  wasStopped(life: number, fromMs: number, toMs: number): boolean {
    return this.#stops.some(
      (stop) => stop.life === life && stop.fromMs <= toMs && stop.toMs >= fromMs,
    );
  }
}
