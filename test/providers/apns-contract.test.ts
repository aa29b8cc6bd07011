// The provider contract, fulfilled by APNs.

import { expect } from 'vitest';
import { describeProvider } from '../contract/provider-contract.ts';

describeProvider({
  name: 'apns',
  token: (index) => index.toString(16).padStart(64, '0'),
  streamLimit: 1_000,
  // The status is enough: APNs has taken the push.
  cutOff: { kind: 'delivered', messageId: expect.any(String) },
});
