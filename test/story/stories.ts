// All stories: failures of settings, of what surrounds the service, and of single phones and callers.

import { CALLERS } from './callers.ts';
import { CIRCUMSTANCES } from './circumstances.ts';
import { CREDENTIALS } from './credentials.ts';
import type { Story } from './stage.ts';

export const STORIES: readonly Story[] = [...CREDENTIALS, ...CIRCUMSTANCES, ...CALLERS];
