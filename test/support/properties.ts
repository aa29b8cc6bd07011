// The library of property tests, with one seed for every property of a run, as all chance here has it.

import fc from 'fast-check';
import { seedFrom } from './chance.ts';

fc.configureGlobal({ seed: seedFrom('NDS_PROPERTY_SEED') });

export { default } from 'fast-check';
