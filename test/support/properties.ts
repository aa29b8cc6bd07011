// The library of property tests, with one seed for every property of a run, as all chance here has it.

import fc from 'fast-check';
import { seedFrom } from './chance.ts';

fc.configureGlobal({ seed: seedFrom('NDS_PROPERTY_SEED') });

/** Unicode without the halves of surrogate pairs, which are no text. */
const character = fc
  .nat({ max: 0x10_ff_ff - 0x8_00 })
  .map((number) => String.fromCodePoint(number < 0xd8_00 ? number : number + 0x8_00));

/** Like `unit: 'binary'`, which takes 700 ms to build a table of all characters in every file that uses it. */
export function anyText(
  limits: Pick<fc.StringConstraints, 'maxLength'> = {},
): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.string({ ...limits, unit: character }) },
    // Has names such as `__proto__` among it.
    { weight: 1, arbitrary: fc.string(limits) },
  );
}

export { default } from 'fast-check';
