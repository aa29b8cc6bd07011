// Where the stand-ins listen and with which throwaway credentials, as one process tells another.

import { z } from 'zod';

export const addressesSchema = z.object({
  ca: z.string(),
  apns: z.object({
    url: z.string(),
    key: z.string(),
    keyId: z.string(),
    teamId: z.string(),
    topic: z.string(),
  }),
  fcm: z.object({
    url: z.string(),
    projectId: z.string(),
    serviceAccount: z.record(z.string(), z.string()),
  }),
});
