// Every failure of which it is told how it shows.

import { CALLERS } from './callers.ts';
import { CIRCUMSTANCES } from './circumstances.ts';
import { CREDENTIALS } from './credentials.ts';
import type { Story } from './stage.ts';

export const STORIES: readonly Story[] = [...CREDENTIALS, ...CIRCUMSTANCES, ...CALLERS];
