// The refusals of a push that no repeat of the call changes, for callers that would repeat it for months unless they get 200.

import type { Source } from '../core/ports/source.ts';

export const PERMANENT_AS_200: Source['statuses'] = {
  token_unregistered: 200,
  token_rejected: 200,
  message_rejected: 200,
  push_too_large: 200,
  type_not_supported: 200,
};
