// The description of the API, OpenAPI 3.1: made from the schemas that validate, for every route of the service.

import { createDocument, type oas31 } from 'zod-openapi';
import { DOMAIN_SOURCE, LSPS5_SOURCE } from '../../core/devices/doors.ts';
import type { DescribedCalls } from '../../core/ports/source-description.ts';
import { createDeviceBodies } from '../devices/device-body.ts';
import { deliveryAnswer, refusalAnswer } from '../operator/answers.ts';
import { devicePaths } from './device-paths.ts';
import { doorPaths, told } from './door-paths.ts';
import { endpointPaths, eventWebhooks } from './endpoint-paths.ts';
import { operatorPaths } from './operator-paths.ts';
import { problem, refusal } from './problems.ts';
import { servicePaths } from './service-paths.ts';

const ABOUT = `Turns webhooks of Lightning services into pushes that wake phones.

Success is always exactly 200. A refused call gets problem JSON (RFC 9457) with a stable \`code\`. A path that is not
served is answered 404 \`not_found\`, another method 405 \`method_not_allowed\` with the header \`Allow\`. HEAD is answered
as GET. A slash at the end of a path is accepted.`;

const TAGS = [
  { name: 'callers', description: 'The doors of LSPs and other services that wake phones.' },
  { name: 'devices', description: 'Registration of devices, and their replies.' },
  { name: 'operators', description: 'The log, and what can be done: keys of NDS_API_KEYS.' },
  { name: 'events', description: 'Events that are sent to endpoints.' },
  { name: 'service', description: 'Health, and this description.' },
];

export interface DocumentParts {
  readonly version: string;
  readonly calls: DescribedCalls;
}

export type ApiDocument = oas31.OpenAPIObject;

export function createApiDocument({ version, calls }: DocumentParts): ApiDocument {
  const withSecrets = calls.sources
    .map(({ name }) => name)
    .filter((name) => name !== LSPS5_SOURCE && name !== DOMAIN_SOURCE);
  const bodies = createDeviceBodies(withSecrets, () => undefined);
  const document = createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Notification Delivery Service',
      description: ABOUT,
      version,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: TAGS,
    paths: {
      ...doorPaths(calls),
      ...operatorPaths(),
      ...endpointPaths(),
      ...devicePaths(bodies),
      ...servicePaths(),
    },
    webhooks: eventWebhooks(),
    components: {
      schemas: { Problem: problem, Told: told, Delivery: deliveryAnswer, Refusal: refusalAnswer },
      responses: {
        NotFound: refusal(['not_found']),
        MethodNotAllowed: {
          ...refusal(['method_not_allowed']),
          headers: { Allow: { schema: { type: 'string' } } },
        },
      },
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key of the vendor’s backend, or one with the scope.',
        },
      },
    },
  });
  // As a client reads it. The library's own type also covers a later OpenAPI version.
  return JSON.parse(JSON.stringify(document));
}
