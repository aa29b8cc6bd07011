// The phones of the world: which tokens are good, dead or bad, whatever a provider says about them, and which phones
// answer when they are asked for an invoice.

import type { Platform, ProviderName } from '../../src/core/target.ts';
import type { Random } from './random.ts';

export type Health = 'good' | 'dead' | 'bad' | 'foreign';

export interface Phone {
  readonly platform: Platform;
  readonly provider: ProviderName;
  readonly token: string;
  readonly health: Health;
  /** From this moment its app is gone. */
  readonly diesAtMs: number;
}

const HEALTHS: Readonly<Record<Health, number>> = { good: 90, dead: 4, bad: 3, foreign: 3 };

export class Phones {
  readonly #random: Random;
  readonly #phones: Phone[] = [];
  readonly #byToken = new Map<string, Phone>();
  readonly #untilMs: number;

  constructor(random: Random, given: { readonly count: number; readonly untilMs: number }) {
    this.#random = random;
    this.#untilMs = given.untilMs;
    for (let number = 0; number < given.count; number += 1) {
      this.#phones.push(this.#make(random.choose(HEALTHS)));
    }
  }

  /** A phone that is called often. */
  pick(): Phone {
    return this.#random.pick(this.#phones);
  }

  /** A token that a stranger made up. */
  invent(): Phone {
    return this.#make(this.#random.chance(0.5) ? 'bad' : 'dead');
  }

  healthOf(token: string, atMs: number): Health {
    const phone = this.#byToken.get(token);
    if (phone === undefined) throw new Error('a push for a token that nobody called');
    return phone.health === 'good' && atMs >= phone.diesAtMs ? 'dead' : phone.health;
  }

  #make(health: Health): Phone {
    const random = this.#random;
    const isApns = random.chance(0.5);
    const phone: Phone = {
      platform: isApns ? 'ios' : 'android',
      provider: isApns ? 'apns' : 'fcm',
      token: isApns ? random.hex(32) : `phone:${random.hex(12)}`,
      health,
      diesAtMs: random.chance(0.05) ? random.between(0, this.#untilMs) : Number.POSITIVE_INFINITY,
    };
    this.#byToken.set(phone.token, phone);
    return phone;
  }
}
