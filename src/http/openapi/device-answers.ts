// The answers of the registry's routes: neither the token nor the secrets of a device.

import { z } from 'zod';

import { next } from '../operator/answers.ts';

const time = z.iso.datetime();

export const deviceAnswer = z
  .object({
    id: z.uuid(),
    app: z.string(),
    platform: z.enum(['ios', 'android']),
    user: z.string().optional(),
    app_data: z.string().optional(),
    environment: z.enum(['production', 'sandbox']).optional(),
    locale: z.string().optional(),
    lsp_node_ids: z.array(z.string()),
    secrets: z
      .record(z.string(), z.int())
      .meta({ description: 'How many secrets the device has, by source.' }),
    urls: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'One URL for each door; not for a key that may only read.' }),
    registered_by: z.enum(['backend', 'app', 'self']),
    created_at: time,
    seen_at: time.meta({ description: 'Registered, or took a push, to the day.' }),
    dead_since: time.optional().meta({ description: 'A provider called the token dead.' }),
    wakes: z
      .object({
        answered: z.int().meta({ description: 'For how many of these a receipt came.' }),
        pushes: z.int().meta({ description: 'Its newest pushes, 15 at most.' }),
        last_wake_at: time.optional(),
        silent_since: time.optional().meta({ description: 'It used to send receipts.' }),
        demoted_at: time.optional().meta({ description: 'Android took the priority away.' }),
      })
      .optional()
      .meta({ description: 'Of an app with receipts, where one device is read.' }),
  })
  .meta({ id: 'Device' });

export const devicesAnswer = z.object({ devices: z.array(deviceAnswer), next });
export const deletedAnswer = z.object({ id: z.uuid(), status: z.literal('deleted') });
export const revokedAnswer = z.object({ id: z.uuid(), status: z.literal('revoked') });
