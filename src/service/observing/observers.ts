// The observers of the core's events: most join once the store is open, and those that only watch leave again.

import type { Observer, ServiceEvent } from '../../core/ports/observer.ts';

export class Observers implements Observer {
  readonly #all: Observer[];

  constructor(first: Observer) {
    this.#all = [first];
  }

  readonly join = (one: Observer): void => {
    this.#all.push(one);
  };

  readonly leave = (one: Observer): void => {
    const index = this.#all.indexOf(one);
    if (index !== -1) this.#all.splice(index, 1);
  };

  observe(event: ServiceEvent): void {
    for (const each of this.#all) each.observe(event);
  }
}
