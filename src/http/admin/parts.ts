// What the page needs, put together by the service.

import type { OperatorParts } from '../operator/parts.ts';
import type { AccessParts } from './access.ts';
import type { Page } from './page.ts';
import type { SignIn } from './sign-in.ts';

export interface AdminParts {
  readonly access: AccessParts;
  readonly signIn: SignIn;
  readonly page: Page;
  readonly operator: OperatorParts;
}
