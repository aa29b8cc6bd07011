// The provider contract, fulfilled by FCM.

import { describeProvider } from '../contract/provider-contract.ts';

describeProvider({
  name: 'fcm',
  token: (index) => `phone-${index}:APA91b`,
  streamLimit: 100,
  // Success is a message name (projects.messages.send, "Response body").
  cutOff: { kind: 'retry', certainty: 'unanswered', reason: 'answer_unreadable' },
});
