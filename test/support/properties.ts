// The library of property tests, with one seed for every property of a run, like all random choices in the tests.

import fc from 'fast-check';
import { seedFrom } from './chance.ts';

fc.configureGlobal({ seed: seedFrom('NDS_PROPERTY_SEED') });

/** Unicode without halves of surrogate pairs, which are not valid text. */
const character = fc
  .nat({ max: 0x10_ff_ff - 0x8_00 })
  .map((number) => String.fromCodePoint(number < 0xd8_00 ? number : number + 0x8_00));

/** Like `unit: 'binary'`, which would take 700 ms in every file that uses it, to build a table of all characters. */
export function anyText(
  limits: Pick<fc.StringConstraints, 'maxLength'> = {},
): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.string({ ...limits, unit: character }) },
    // This includes names such as `__proto__`.
    { weight: 1, arbitrary: fc.string(limits) },
  );
}

export { default } from 'fast-check';
