// Random numbers that can be replayed: streams that depend only on a seed and a name.

import { createHash } from 'node:crypto';

export interface Random {
  /** Uniform, from 0 (inclusive) to 1 (exclusive). */
  fraction(): number;
  /** Uniform, from `low` to `high`. */
  between(low: number, high: number): number;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  /** A name, chosen by weight. */
  choose<Name extends string>(weights: Readonly<Record<Name, number>>): Name;
  hex(bytes: number): string;
}

/** Each name has a stream of its own, so that a change in one place does not shift all others. */
export function createRandom(seed: number, name: string): Random {
  const digest = createHash('sha256').update(`${seed}\n${name}`).digest();
  let state = digest.readUInt32LE(0);
  // Mulberry32: 32 bits of state are plenty for a run, and the code is short enough to be obvious.
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + fraction() * (high - low);
  const whole = (low: number, high: number) => Math.floor(between(low, high + 1));
  return {
    fraction,
    between,
    whole,
    chance: (probability) => fraction() < probability,
    pick: (items) => {
      const item = items[whole(0, items.length - 1)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    choose: (weights) => chooseFrom(weights, fraction()),
    hex: (bytes) => Array.from({ length: bytes }, () => hexByte(whole(0, 255))).join(''),
  };
}

function chooseFrom<Name extends string>(
  weights: Readonly<Record<Name, number>>,
  fraction: number,
): Name {
  const names = Object.keys(weights) as Name[];
  const total = names.reduce((sum, name) => sum + weights[name], 0);
  let left = fraction * total;
  for (const name of names) {
    left -= weights[name];
    if (left < 0) return name;
  }
  throw new RangeError('the weights add up to nothing');
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
